// Reading memory from a hit: right where it is readable, an error and never a
// fault where it is not.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/runtime/in_process_run.h"

namespace nohalt {
namespace {

using runtime::HitContext;
using runtime::RuntimeEntry;
using Read = std::int64_t (*)(HitContext*, void*, std::uint64_t, std::uint64_t);
using ReadBytes = std::int64_t (*)(HitContext*, void*, std::uint64_t, std::uint64_t, std::uint64_t);

constexpr std::size_t kPage = 4096;

// Pages of which the last is not there.
class Cliff {
 public:
  explicit Cliff(std::size_t pages) : size_(pages * kPage) {
    void* base =
        mmap(nullptr, size_ + kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    base_ = static_cast<char*>(base);
    munmap(base_ + size_, kPage);
  }
  ~Cliff() { munmap(base_, size_); }
  Cliff(const Cliff&) = delete;
  Cliff& operator=(const Cliff&) = delete;
  [[nodiscard]] char* edge(std::size_t before) const { return base_ + size_ - before; }

 private:
  std::size_t size_;
  char* base_;
};

class Reading : public ::testing::Test {
 protected:
  Reading() : run_({{.body_size = 64, .hits_per_second = 10}}), site_(run_.constants(0)) {
    hit_.site = &site_;
    hit_.regs.rsp = address(stack_.edge(2048));
    to_.fill('x');
  }

  std::int64_t read_user(std::uint64_t size, std::uint64_t from) {
    return run_.function<Read>(RuntimeEntry::kReadUser)(&hit_, to_.data(), size, from);
  }
  std::int64_t read_string(std::uint64_t max, const void* from) {
    return run_.function<Read>(RuntimeEntry::kReadString)(&hit_, to_.data(), max,
                                                          reinterpret_cast<std::uint64_t>(from));
  }
  std::int64_t read_wide(std::uint64_t max, const void* from, std::uint64_t unit) {
    return run_.function<ReadBytes>(RuntimeEntry::kReadWide)(&hit_, to_.data(), max, address(from),
                                                             unit);
  }
  static std::uint64_t address(const void* p) { return reinterpret_cast<std::uint64_t>(p); }
  [[nodiscard]] bool zeroed(std::size_t from, std::size_t to) const {
    return std::all_of(to_.begin() + static_cast<long>(from), to_.begin() + static_cast<long>(to),
                       [](char c) { return c == 0; });
  }

  testing::InProcessRun run_;
  runtime::SiteConstants site_;
  const Cliff stack_{1};
  HitContext hit_{};
  std::array<char, 3 * kPage> to_{};
};

TEST_F(Reading, CopiesExactlyTheBytesAskedFor) {
  const std::string text = "exactly these";
  EXPECT_EQ(read_user(7, address(text.data())), 0);
  EXPECT_EQ(std::string(to_.data(), 8), "exactlyx");
}

TEST_F(Reading, UnreadableAddressesAreErrorsAndLeaveZeros) {
  const Cliff cliff(1);
  const std::uint64_t wild[] = {0,
                                1,
                                8,
                                address(cliff.edge(0)),
                                address(cliff.edge(3)),
                                0x7fff'ffff'f000,
                                0x0000'8000'0000'0000,
                                0x00ff'ffff'ffff'fff8,
                                0x0123'4567'89ab'cdef,
                                0xffff'8000'0000'0000,
                                0xffff'ffff'8000'0000,
                                ~0ULL - 3,
                                ~0ULL};
  for (const std::uint64_t from : wild) {
    to_.fill('x');
    EXPECT_LT(read_user(16, from), 0) << std::hex << from;
    EXPECT_TRUE(zeroed(0, 16)) << std::hex << from;
    EXPECT_EQ(to_[16], 'x');
  }
}

TEST_F(Reading, RandomAddressesNeverFault) {
  std::mt19937_64 random(7);
  const auto entries = {RuntimeEntry::kReadUser, RuntimeEntry::kReadFrame,
                        RuntimeEntry::kReadStatic, RuntimeEntry::kReadString,
                        RuntimeEntry::kReadStack};
  for (int i = 0; i < 20000; ++i) {
    const std::uint64_t from = random() >> (random() % 64);
    const std::uint64_t size = random() % to_.size();
    for (const RuntimeEntry entry : entries)
      run_.function<Read>(entry)(&hit_, to_.data(), size, from);
  }
}

TEST_F(Reading, MemoryWithoutReadPermissionIsAnError) {
  void* none = mmap(nullptr, kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  EXPECT_LT(read_user(8, address(none)), 0);
  munmap(none, kPage);
}

TEST_F(Reading, MemoryThatVanishesWhileReadIsAnErrorOrWhole) {
  std::atomic<bool> stop = false;
  void* place = mmap(nullptr, 2 * kPage, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  std::jthread vanishing([&] {
    while (!stop) {
      munmap(place, 2 * kPage);
      void* again = mmap(place, 2 * kPage, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
      if (again == place) std::memset(place, 'y', 2 * kPage);
    }
  });
  int whole = 0;
  for (int i = 0; i < 100000 && whole < 200; ++i) {
    const std::int64_t got = read_user(kPage + 100, address(place) + 50);
    if (got == 0) {
      ++whole;
    } else {
      ASSERT_TRUE(zeroed(0, kPage + 100));
    }
  }
  stop = true;
  vanishing.join();
  EXPECT_GT(whole, 0);
  munmap(place, 2 * kPage);
}

TEST_F(Reading, StringEndsAtItsNul) {
  EXPECT_EQ(read_string(64, "twelve chars"), 12);
  EXPECT_EQ(std::string(to_.data()), "twelve chars");
}

TEST_F(Reading, StringIsFollowedByZerosOnly) {
  char text[64];
  std::memset(text, 's', sizeof text);
  std::strcpy(text, "public");
  EXPECT_EQ(read_string(sizeof text, text), 6);
  EXPECT_TRUE(zeroed(6, sizeof text)) << "what stands behind a string must not leave the target";
}

TEST_F(Reading, StringOfAnyLengthAndAlignmentIsFound) {
  std::array<char, 96> text{};
  for (std::size_t start = 0; start < 16; ++start) {
    for (std::size_t length = 0; length < 40; ++length) {
      text.fill('\x80');
      text[start + length] = 0;
      ASSERT_EQ(read_string(64, text.data() + start), static_cast<std::int64_t>(length));
    }
  }
}

TEST_F(Reading, StringJustBeforeTheCliffIsRead) {
  const Cliff cliff(2);
  for (std::size_t length = 0; length < 20; ++length) {
    std::memset(cliff.edge(64), 'q', 64);
    *cliff.edge(1) = 0;
    ASSERT_EQ(read_string(256, cliff.edge(length + 1)), static_cast<std::int64_t>(length));
  }
}

TEST_F(Reading, StringThatRunsOffTheCliffIsUnreadable) {
  const Cliff cliff(1);
  std::memset(cliff.edge(32), 'q', 32);
  EXPECT_LT(read_string(256, cliff.edge(32)), 0);
  EXPECT_TRUE(zeroed(0, 256));
}

TEST_F(Reading, LongStringIsTruncatedAtTheMost) {
  const std::string text(2 * kPage + 500, 'l');
  EXPECT_EQ(read_string(2 * kPage + 100, text.data()), static_cast<std::int64_t>(2 * kPage + 100));
  EXPECT_EQ(std::string(to_.data(), 2 * kPage + 101), std::string(2 * kPage + 100, 'l') + 'x');
}

TEST_F(Reading, WideTextEndsAtItsNullCharacterAndNotAtANullByte) {
  EXPECT_EQ(read_wide(64, u"a\u0100b", 2), 6);
  EXPECT_EQ(std::memcmp(to_.data(), u"a\u0100b", 6), 0);
  EXPECT_TRUE(zeroed(6, 64));
  EXPECT_EQ(read_wide(64, U"\U00010000\u0100", 4), 8);
  EXPECT_TRUE(zeroed(8, 64)) << "what stands behind a text must not leave the target";
}

TEST_F(Reading, WideTextIsFoundAcrossPagesAtAnyAlignment) {
  const Cliff cliff(3);
  for (const std::size_t unit : {2U, 4U}) {
    for (std::size_t odd = 0; odd < unit; ++odd) {
      const std::size_t length = kPage + 64;
      char* text = cliff.edge(length + unit + odd);
      std::memset(text, 'w', length);
      std::memset(text + length, 0, unit);
      ASSERT_EQ(read_wide(2 * kPage, text, unit), static_cast<std::int64_t>(length));
      EXPECT_EQ(to_[length - 1], 'w');
    }
  }
}

TEST_F(Reading, WideTextThatRunsOffTheCliffOrHasOddCharactersIsUnreadable) {
  const Cliff cliff(1);
  std::memset(cliff.edge(33), 'q', 33);
  EXPECT_LT(read_wide(256, cliff.edge(33), 2), 0);
  EXPECT_TRUE(zeroed(0, 256));
  for (const std::uint64_t unit : {0ULL, 1ULL, 3ULL, 8ULL, ~0ULL})
    EXPECT_LT(read_wide(64, u"text", unit), 0);
  EXPECT_LT(read_wide(63, u"text", 2), 0);
}

TEST_F(Reading, StackIsReadUpToItsEnd) {
  const Cliff cliff(4);
  constexpr std::size_t kThere = 2 * kPage + 100;
  std::memset(cliff.edge(kThere), 'd', kThere);
  const auto read = run_.function<Read>(RuntimeEntry::kReadStack);
  EXPECT_EQ(read(&hit_, to_.data(), 3 * kPage, address(cliff.edge(kThere))),
            static_cast<std::int64_t>(kThere));
  EXPECT_EQ(std::string(to_.data(), kThere), std::string(kThere, 'd'));
  EXPECT_TRUE(zeroed(kThere, 3 * kPage));
}

TEST_F(Reading, StackThatIsNotThereReadsAsNothing) {
  const Cliff cliff(1);
  const auto read = run_.function<Read>(RuntimeEntry::kReadStack);
  EXPECT_EQ(read(&hit_, to_.data(), 64, address(cliff.edge(0))), 0);
  EXPECT_TRUE(zeroed(0, 64));
}

TEST_F(Reading, BytesAreBoundedByLengthAndByRoom) {
  const auto read = run_.function<ReadBytes>(RuntimeEntry::kReadBytes);
  const std::string text = "0123456789";
  EXPECT_EQ(read(&hit_, to_.data(), 8, address(text.data()), 4), 4);
  EXPECT_TRUE(zeroed(4, 8));
  EXPECT_EQ(read(&hit_, to_.data(), 8, address(text.data()), ~0ULL), 8);
  EXPECT_EQ(read(&hit_, to_.data(), 8, 0, 0), 0);
  EXPECT_LT(read(&hit_, to_.data(), 8, 16, 4), 0);
}

// Where a plain load is allowed can be told by what needs no system call.
TEST_F(Reading, StackIsLoadedPlainlyOnlyWhereItIsProvenMapped) {
  const Cliff stack(4);
  const auto read = run_.function<Read>(RuntimeEntry::kReadFrame);
  hit_.regs.rsp = address(stack.edge(3 * kPage + 200));
  const auto plain = [&](std::uint64_t from, std::uint64_t size) {
    hit_.tsc_entry = 0;
    EXPECT_EQ(read(&hit_, to_.data(), size, from), 0);
    return hit_.tsc_entry == 0;
  };
  EXPECT_TRUE(plain(hit_.regs.rsp, 8));
  EXPECT_TRUE(plain(hit_.regs.rsp - 128, 328));
  EXPECT_FALSE(plain(hit_.regs.rsp - 129, 8)) << "below the red zone";
  EXPECT_FALSE(plain(hit_.regs.rsp + 196, 8)) << "over the end of the page";
  EXPECT_FALSE(plain(hit_.regs.rsp + 300, 8)) << "another page";
}

TEST_F(Reading, PageAboveAnAlignedStackPointerIsNotTakenForGranted) {
  const Cliff stack(1);
  hit_.regs.rsp = address(stack.edge(0));
  EXPECT_LT(run_.function<Read>(RuntimeEntry::kReadFrame)(&hit_, to_.data(), 8, hit_.regs.rsp), 0);
}

TEST_F(Reading, StaticDataIsLoadedPlainlyOnlyInItsRanges) {
  const Cliff data(2);
  site_.static_ranges[0] = {1, 2};
  site_.static_ranges[1] = {address(data.edge(100)), address(data.edge(50))};
  const auto read = run_.function<Read>(RuntimeEntry::kReadStatic);
  EXPECT_EQ(read(&hit_, to_.data(), 50, address(data.edge(100))), 0);
  EXPECT_EQ(hit_.tsc_entry, 0u);
  EXPECT_EQ(read(&hit_, to_.data(), 51, address(data.edge(100))), 0);
  EXPECT_EQ(hit_.tsc_entry, runtime::kSlowHit);
  EXPECT_LT(read(&hit_, to_.data(), 51, address(data.edge(50))), 0);
}

}  // namespace
}  // namespace nohalt
