// Looking for the next full bucket of a hash table from a hit: the control bytes as they
// are, no more of them than may be looked at, and an error for what cannot be read.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstdint>
#include <cstring>
#include <optional>
#include <vector>

#include "tests/unit/runtime/in_process_run.h"

namespace nohalt {
namespace {

using runtime::HitContext;
using runtime::RuntimeEntry;
using NextFull = std::int64_t (*)(HitContext*, void*, std::uint64_t, std::uint64_t, std::uint64_t);

constexpr std::size_t kPage = 4096;
constexpr std::uint8_t kEmpty = 0xff;
constexpr std::uint8_t kDeleted = 0x80;
constexpr std::uint8_t kFull = 0x35;

class Table : public ::testing::Test {
 protected:
  Table() : run_({{.body_size = 64, .hits_per_second = 10}}), site_(run_.constants(0)) {
    hit_.site = &site_;
    hit_.regs.rsp = reinterpret_cast<std::uint64_t>(&hit_);
  }
  std::int64_t next(const std::uint8_t* control, std::uint64_t count, std::size_t piece = 64) {
    std::vector<std::uint8_t> to(piece + 8, 0x5a);
    const auto function = run_.function<NextFull>(RuntimeEntry::kNextFull);
    const std::int64_t result =
        function(&hit_, to.data(), piece, reinterpret_cast<std::uint64_t>(control), count);
    for (std::size_t i = 0; i < piece; ++i) EXPECT_EQ(to[i], 0) << "left in the scratch room";
    for (std::size_t i = piece; i < to.size(); ++i) EXPECT_EQ(to[i], 0x5a) << "behind it";
    return result;
  }

  testing::InProcessRun run_;
  runtime::SiteConstants site_;
  HitContext hit_{};
};

TEST_F(Table, FindsTheFirstFullBucketWhereverItIs) {
  for (const std::size_t piece : {std::size_t{8}, std::size_t{24}, std::size_t{64}})
    for (std::size_t at = 0; at < 200; ++at) {
      std::vector<std::uint8_t> control(256, at % 2 == 0 ? kEmpty : kDeleted);
      control[at] = kFull;
      control[at + 20] = 0;
      EXPECT_EQ(next(control.data(), control.size(), piece), static_cast<std::int64_t>(at));
    }
}

TEST_F(Table, SaysHowManyThereAreWhereNoneIsFull) {
  std::vector<std::uint8_t> control(100, kEmpty);
  control[70] = kFull;
  for (std::uint64_t count = 0; count <= 70; ++count)
    EXPECT_EQ(next(control.data(), count), static_cast<std::int64_t>(count));
}

TEST_F(Table, LooksAtNoMoreThanSoManyPieces) {
  const std::vector<std::uint8_t> control(10'000, kEmpty);
  EXPECT_EQ(next(control.data(), control.size(), 16), 16 * runtime::kTableSteps);
  EXPECT_EQ(next(control.data(), ~std::uint64_t{0} >> 8, 64), 64 * runtime::kTableSteps);
}

TEST_F(Table, FailsWhereTheControlBytesCannotBeRead) {
  void* memory =
      ::mmap(nullptr, 2 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  ASSERT_EQ(::munmap(static_cast<char*>(memory) + kPage, kPage), 0);
  std::memset(memory, kEmpty, kPage);
  const std::uint8_t* end = static_cast<std::uint8_t*>(memory) + kPage;
  EXPECT_EQ(next(end - 40, 40), 40) << "the last bytes before the hole";
  EXPECT_LT(next(end - 40, 41), 0);
  EXPECT_LT(next(end, 8), 0);
  EXPECT_LT(next(nullptr, 8), 0);
  ::munmap(memory, kPage);
}

}  // namespace
}  // namespace nohalt
