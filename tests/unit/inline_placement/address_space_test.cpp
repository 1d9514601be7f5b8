// What counts as free: not the room that heaps and stacks grow into.

#include "probes/engines/inline/placement/address_space.h"

#include <gtest/gtest.h>

namespace nohalt::inline_placement {
namespace {

constexpr std::uint64_t kMiB = 1ULL << 20;
constexpr std::uint64_t kGiB = 1ULL << 30;

RuntimeRange range(std::uint64_t begin, std::uint64_t end) { return {{begin}, {end}}; }

// A position-independent program with its heap and stack where Linux puts them.
SpaceInput usual() {
  SpaceInput input;
  input.mapped = {range(0x7fff'ff00'0000, 0x7fff'ff02'1000),  // out of order on purpose
                  range(0x5555'5555'4000, 0x5555'5560'0000),
                  range(0x5555'6000'0000, 0x5555'6100'0000)};
  input.heap = range(0x5555'6000'0000, 0x5555'6100'0000);
  input.stack = range(0x7fff'ff00'0000, 0x7fff'ff02'1000);
  input.stack_limit = 8 * kMiB;
  return input;
}

TEST(AddressSpace, LeavesOutWhatIsMapped) {
  const AddressSpace space(usual());
  EXPECT_FALSE(space.is_free(range(0x5555'5555'4000, 0x5555'5555'5000)));
  EXPECT_TRUE(space.is_free(range(0x5555'5555'3000, 0x5555'5555'4000)));
  EXPECT_FALSE(space.is_free(range(0x5555'5555'3000, 0x5555'5555'5000)));
  EXPECT_TRUE(space.is_free(range(0x5555'5560'0000, 0x5555'6000'0000)));  // below the heap's start
}

TEST(AddressSpace, KeepsAGibibyteAboveTheHeapClear) {
  const AddressSpace space(usual());
  const std::uint64_t end = 0x5555'6100'0000;
  EXPECT_FALSE(space.is_free(range(end, end + kPageSize)));
  EXPECT_FALSE(space.is_free(range(end + kGiB - kPageSize, end + kGiB)));
  EXPECT_TRUE(space.is_free(range(end + kGiB, end + kGiB + kPageSize)));
}

TEST(AddressSpace, KeepsTheRoomOfAHeapThatIsStillEmpty) {
  SpaceInput input = usual();
  input.heap = range(0x5555'6200'0000, 0x5555'6200'0000);
  const AddressSpace space(input);
  EXPECT_FALSE(space.is_free(range(0x5555'6200'0000, 0x5555'6200'1000)));
  EXPECT_FALSE(space.is_free(range(0x5555'9000'0000, 0x5555'9000'1000)));
}

TEST(AddressSpace, KeepsTheStacksGrowthClear) {
  const AddressSpace space(usual());
  const std::uint64_t low = 0x7fff'ff00'0000 - 8 * kMiB - kStackGuardGap;
  EXPECT_FALSE(space.is_free(range(low, low + kPageSize)));
  EXPECT_TRUE(space.is_free(range(low - kPageSize, low)));
}

TEST(AddressSpace, FollowsALargerStackLimit) {
  SpaceInput input = usual();
  input.stack_limit = 512 * kMiB;
  const AddressSpace space(input);
  const std::uint64_t low = 0x7fff'ff02'1000 - 512 * kMiB - kStackGuardGap;
  EXPECT_FALSE(space.is_free(range(low, low + kPageSize)));
  EXPECT_TRUE(space.is_free(range(low - kPageSize, low)));
}

TEST(AddressSpace, AssumesAQuarterGibibyteForAnUnlimitedStack) {
  SpaceInput input = usual();
  input.stack_limit.reset();
  const AddressSpace space(input);
  const std::uint64_t low = 0x7fff'ff00'0000 - 256 * kMiB - kStackGuardGap;
  EXPECT_FALSE(space.is_free(range(low, low + kPageSize)));
  EXPECT_TRUE(space.is_free(range(low - kPageSize, low)));
}

TEST(AddressSpace, StaysWithinUserSpace) {
  SpaceInput input = usual();
  input.mmap_min_addr = 65536;
  const AddressSpace space(input);
  EXPECT_FALSE(space.is_free(range(0, kPageSize)));
  EXPECT_FALSE(space.is_free(range(65536 - kPageSize, 65536)));
  EXPECT_TRUE(space.is_free(range(65536, 65536 + kPageSize)));
  const std::uint64_t end = 1ULL << 47;
  EXPECT_FALSE(space.is_free(range(end - kPageSize, end)));
  EXPECT_FALSE(space.is_free(range(end, end + kPageSize)));
}

TEST(AddressSpace, TellsRoomForStartsNearItsEdges) {
  const AddressSpace space(usual());
  const std::uint64_t image = 0x5555'5555'4000;
  EXPECT_TRUE(space.has_room(range(image - 64, image), 64));
  EXPECT_FALSE(space.has_room(range(image - 63, image), 64));
  EXPECT_FALSE(space.has_room(range(image, image + 4096), 64));
}

}  // namespace
}  // namespace nohalt::inline_placement
