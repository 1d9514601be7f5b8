// Where trampolines go: within reach, apart, few pages.

#include "probes/engines/inline/placement/place.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace nohalt::inline_placement {
namespace {

constexpr std::uint64_t kGiB = 1ULL << 30;
constexpr RuntimeAddress kImage{0x5555'5555'4000};

AddressSpace space_around_image() {
  SpaceInput input;
  input.mapped = {{kImage, kImage + 0x20'0000}};
  return AddressSpace(input);
}

Need anywhere(std::uint64_t size, RuntimeAddress near = kImage) {
  return {{{near - 2 * kGiB, near + 2 * kGiB}}, size, 16, near};
}

TEST(Place, PutsFreeTrampolinesTogetherNextToTheCode) {
  const auto space = space_around_image();
  const std::vector<Need> needs(10, anywhere(300));
  const auto placed = place(space, needs);
  ASSERT_TRUE(placed);
  ASSERT_EQ(placed->regions.size(), 1U);
  EXPECT_EQ(placed->regions[0].size(), kPageSize);
  EXPECT_EQ(placed->regions[0].end, kImage);
}

TEST(Place, KeepsAPunAtItsAddressAndLetsOthersShareItsPage) {
  const auto space = space_around_image();
  const RuntimeAddress only = kImage - 0x1234'5678;
  const std::vector<Need> needs = {anywhere(200), {{{only, only + 1}}, 64, 1, kImage}};
  const auto placed = place(space, needs);
  ASSERT_TRUE(placed);
  EXPECT_EQ(placed->addresses[1], only);
  EXPECT_EQ(placed->regions.size(), 1U);
}

TEST(Place, MapsBothPagesOfATrampolineThatCrosses) {
  const auto space = space_around_image();
  const RuntimeAddress only{page_floor(kImage.value - kGiB) - 8};
  const std::vector<Need> needs = {{{{only, only + 1}}, 64, 1, kImage}};
  const auto placed = place(space, needs);
  ASSERT_TRUE(placed);
  ASSERT_EQ(placed->regions.size(), 1U);
  EXPECT_EQ(placed->regions[0].size(), 2 * kPageSize);
}

TEST(Place, NamesTheNeedThatHasNoPlace) {
  const auto space = space_around_image();
  const std::vector<Need> needs = {anywhere(64), {{{kImage, kImage + 256}}, 64, 1, kImage}};
  const auto placed = place(space, needs);
  ASSERT_FALSE(placed);
  EXPECT_EQ(placed.error(), 1U);
}

TEST(Place, FindsRoomBesideAnotherTrampolineInANarrowRange) {
  const auto space = space_around_image();
  const RuntimeRange narrow{kImage - 0x10'0000, kImage - 0x10'0000 + 256};
  const Need pun{{narrow}, 100, 1, kImage};
  const auto placed = place(space, std::vector<Need>{pun, pun, pun});
  ASSERT_TRUE(placed);  // 0, 100, 200: only the starts are bound
  EXPECT_EQ(placed->regions.size(), 1U);
  EXPECT_FALSE(place(space, std::vector<Need>{pun, pun, pun, pun}));
}

TEST(Place, HonoursAlignmentWithARemainder) {
  const auto space = space_around_image();
  const Need need{{{kImage - kGiB, kImage}}, 5, 65536, kImage, 0x1234};
  const auto placed = place(space, std::vector<Need>{need});
  ASSERT_TRUE(placed);
  EXPECT_EQ(placed->addresses[0].value % 65536, 0x1234U);
}

// Whatever the needs, nothing overlaps and every bound holds.
TEST(Place, KeepsEveryBoundForRandomNeeds) {
  std::mt19937_64 random{7};
  const auto space = space_around_image();
  std::size_t placed_needs = 0;
  for (int round = 0; round < 200; ++round) {
    std::vector<Need> needs;
    for (std::uint64_t i = 0; i < 1 + random() % 12; ++i) {
      const RuntimeAddress begin = kImage - 0x8000 + random() % 0x4000;
      const std::uint64_t width = 1 + random() % (random() % 2 == 0 ? 300 : 0x2000);
      needs.push_back({{{begin, begin + width}}, 5 + random() % 200, 1ULL << random() % 5, kImage});
    }
    const auto placed = place(space, needs);
    if (!placed) continue;
    std::vector<RuntimeRange> taken;
    for (std::size_t i = 0; i < needs.size(); ++i) {
      const RuntimeRange mine{placed->addresses[i], placed->addresses[i] + needs[i].size};
      EXPECT_TRUE(needs[i].starts[0].contains(mine.begin));
      EXPECT_EQ(mine.begin.value % needs[i].alignment, 0U);
      EXPECT_TRUE(space.is_free({{page_floor(mine.begin.value)}, {page_ceil(mine.end.value)}}));
      EXPECT_TRUE(std::any_of(placed->regions.begin(), placed->regions.end(), [&](const auto& r) {
        return r.begin <= mine.begin && mine.end <= r.end;
      }));
      for (const RuntimeRange& other : taken) EXPECT_FALSE(mine.overlaps(other));
      taken.push_back(mine);
      ++placed_needs;
    }
  }
  EXPECT_GT(placed_needs, 200U);
}

}  // namespace
}  // namespace nohalt::inline_placement
