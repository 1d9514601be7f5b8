// Where a thread is, told from its pc and a copy of its stack.
#include "probes/target/survey.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

namespace nohalt::target {
namespace {

constexpr RuntimeRange kCode{{0x700000000000}, {0x700000001000}};
constexpr RuntimeAddress kOutside{0x1000};

// A stack of one page, its guard, and the stack of another thread above it.
class Stacks : public testing::Test {
 protected:
  void SetUp() override {
    at_ =
        ::mmap(nullptr, 3 * kPageSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(at_, MAP_FAILED);
    ASSERT_EQ(::mprotect(static_cast<char*>(at_) + kPageSize, kPageSize, PROT_NONE), 0);
  }
  void TearDown() override { ::munmap(at_, 3 * kPageSize); }

  void push(std::size_t offset, RuntimeAddress word) {
    std::memcpy(static_cast<char*>(at_) + offset, &word.value, sizeof word.value);
  }
  bool is_outside(RuntimeAddress pc, std::size_t stack_offset) {
    StackCopy copy;
    copy.take(::getpid(), pc, RuntimeAddress{reinterpret_cast<std::uint64_t>(at_)} + stack_offset);
    return copy.is_outside(std::span(&kCode, 1));
  }

  void* at_ = nullptr;
};

TEST_F(Stacks, PcInTheCodeIsInside) { EXPECT_FALSE(is_outside(kCode.begin + 8, 0)); }

TEST_F(Stacks, WordOnTheStackThatPointsIntoTheCodeIsInside) {
  push(kPageSize - 8, kCode.begin + 8);
  EXPECT_FALSE(is_outside(kOutside, 64));
}

TEST_F(Stacks, WordBelowTheStackPointerDoesNotCount) {
  push(56, kCode.begin + 8);
  EXPECT_TRUE(is_outside(kOutside, 64));
}

TEST_F(Stacks, AnotherThreadsStackBehindTheGuardDoesNotCount) {
  push(2 * kPageSize, kCode.begin + 8);
  EXPECT_TRUE(is_outside(kOutside, 64));
}

TEST_F(Stacks, StackThatCannotBeReadIsNotShownToBeOutside) {
  EXPECT_FALSE(is_outside(kOutside, kPageSize));
}

}  // namespace
}  // namespace nohalt::target
