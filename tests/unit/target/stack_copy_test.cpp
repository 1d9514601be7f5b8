// Where a thread is, told from its pc and a copy of its stack.
#include "probes/target/stack_copy.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>

#include "probes/target/threads.h"
#include "tests/unit/target/child.h"
#include "tests/unit/target/code_page.h"
#include "tests/unit/target/handlers.h"

namespace nohalt::target {
namespace {

using test::Child;
using test::Shared;

constexpr RuntimeRange kCode{{0x700000000000}, {0x700000001000}};
constexpr RuntimeAddress kOutsidePc{0x1000};

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
  // As the kernel leaves one when a signal interrupts `pc`.
  void push_frame(std::size_t offset, RuntimeAddress pc) {
    push(offset, stack() + offset);
    push(offset + 8, pc);
    push(offset + 16, {0x246});
    push(offset + 24, {0x002b'0000'0000'0033});
  }
  [[nodiscard]] RuntimeAddress stack() const { return {reinterpret_cast<std::uint64_t>(at_)}; }
  Whereabouts where(RuntimeAddress pc, std::size_t stack_offset, pid_t pid = ::getpid()) {
    StackCopy copy;
    copy.take(pid, pc, stack() + stack_offset);
    return copy.where(std::span(&kCode, 1));
  }

  void* at_ = nullptr;
};

TEST_F(Stacks, PcInTheCodeIsInside) { EXPECT_EQ(where(kCode.begin + 8, 0), Whereabouts::kInside); }

TEST_F(Stacks, FrameThatInterruptedTheCodeIsInside) {
  push_frame(kPageSize - 32, kCode.begin + 8);
  EXPECT_EQ(where(kOutsidePc, 64), Whereabouts::kInside);
}

TEST_F(Stacks, AddressThatTheCodeOncePushedIsNotInside) {
  push(kPageSize - 8, kCode.begin + 8);
  EXPECT_EQ(where(kOutsidePc, 64), Whereabouts::kOutside);
}

TEST_F(Stacks, FrameBelowTheStackPointerDoesNotCount) {
  push_frame(32, kCode.begin + 8);
  EXPECT_EQ(where(kOutsidePc, 64), Whereabouts::kOutside);
}

TEST_F(Stacks, AnotherThreadsStackBehindTheGuardDoesNotCount) {
  push_frame(2 * kPageSize, kCode.begin + 8);
  EXPECT_EQ(where(kOutsidePc, 64), Whereabouts::kOutside);
}

TEST_F(Stacks, StackThatCannotBeReadTellsNothing) {
  EXPECT_EQ(where(kOutsidePc, kPageSize), Whereabouts::kUnknown);
}

TEST_F(Stacks, StackEndsAtTheControlBlock) {
  Child child([this](Shared& shared) {
    constexpr std::size_t kListHead = 24;
    ::syscall(SYS_set_robust_list, static_cast<char*>(at_) + 2048, kListHead);
    push_frame(2048, kCode.begin + 8);
    shared.ready = 1;
    ::pause();
    return 0;
  });
  child.wait_ready();
  EXPECT_EQ(where(kOutsidePc, 64, child.pid()), Whereabouts::kOutside);
  EXPECT_EQ(where(kOutsidePc, 2048, child.pid()), Whereabouts::kInside);
}

TEST_F(Stacks, FrameThatInterruptedAnotherStackWhichCannotBeReadTellsNothing) {
  push(512, stack() + kPageSize + 64);  // the interrupted stack pointer
  push(512 + 16, {0x246});
  push(512 + 24, {0x002b'0000'0000'0033});
  EXPECT_EQ(where(kOutsidePc, 64), Whereabouts::kUnknown);
}

TEST_F(Stacks, FrameOnTheStackItInterruptedLeadsNowhere) {
  push(512, stack() + 1024);
  push(512 + 16, {0x246});
  push(512 + 24, {0x002b'0000'0000'0033});
  EXPECT_EQ(where(kOutsidePc, 64), Whereabouts::kOutside);
}

TEST(StackCopy, StackLongerThanWhatIsCopiedTellsNothing) {
  constexpr std::size_t kLong = 4 * 1024 * 1024;
  void* at = ::mmap(nullptr, kLong, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(at, MAP_FAILED);
  StackCopy copy;
  copy.take(::getpid(), kOutsidePc, {reinterpret_cast<std::uint64_t>(at)});
  EXPECT_EQ(copy.where(std::span(&kCode, 1)), Whereabouts::kUnknown);
  ::munmap(at, kLong);
}

// Where the child's only thread is, which sleeps.
Whereabouts where(const Child& child, RuntimeRange code) {
  for (;;) {
    const auto state = read_thread(child.pid(), child.pid());
    if (!state) return Whereabouts::kUnknown;
    if (!state->blocked) continue;
    StackCopy copy;
    copy.take(child.pid(), state->blocked->program_counter, state->blocked->stack_pointer);
    return copy.where(std::span(&code, 1));
  }
}

TEST(StackCopy, HandlerOnAnAlternateStackShowsWhatItInterrupted) {
  const test::CodePage code;
  Child child([&](Shared& shared) {
    test::handle_aside(shared, test::sleep_in_handler);
    code.stay(shared.go, shared.ready);
    return 0;
  });
  child.wait_ready();
  ::kill(child.pid(), SIGUSR1);
  test::wait_for(child.shared().value);
  child.wait_ready(true);
  EXPECT_EQ(where(child, code.range()), Whereabouts::kInside);
}

TEST(StackCopy, HandlerOnAnAlternateStackOnTopOfAnotherShowsWhatBothInterrupted) {
  const test::CodePage code;
  Child child([&](Shared& shared) {
    test::handle_nested(shared, test::sleep_in_handler);
    code.stay(shared.go, shared.ready);
    return 0;
  });
  child.wait_ready();
  ::kill(child.pid(), SIGUSR1);
  test::wait_for(child.shared().value);
  child.wait_ready(true);
  EXPECT_EQ(where(child, code.range()), Whereabouts::kInside);
}

TEST(StackCopy, HandlerOnAnAlternateStackOnTopOfOtherCodeIsOutside) {
  const test::CodePage code;
  Child child([&](Shared& shared) {
    test::handle_nested(shared, test::sleep_in_handler);
    shared.ready = 1;
    while (shared.go == 0) {
    }
    return 0;
  });
  child.wait_ready();
  ::kill(child.pid(), SIGUSR1);
  test::wait_for(child.shared().value);
  child.wait_ready(true);
  EXPECT_EQ(where(child, code.range()), Whereabouts::kOutside);
}

}  // namespace
}  // namespace nohalt::target
