#include "probes/records/run_layout.h"

#include <gtest/gtest.h>

#include <bit>
#include <vector>

#include "probes/runtime/layout.h"

namespace nohalt::records {
namespace {

TEST(RunLayout, SlotsOfSitesDoNotOverlapAndFitTheRegion) {
  std::vector<SiteNeeds> needs;
  for (std::uint32_t i = 0; i < runtime::kMaxProbes; ++i)
    needs.push_back({.body_size = i * 977, .hits_per_second = 1ULL << i});
  const auto layout = plan_layout(1, needs);
  ASSERT_TRUE(layout);
  std::uint64_t end = runtime::kSlotsStart;
  for (const SiteLayout& site : layout->sites) {
    EXPECT_GE(site.slots_offset, end);
    EXPECT_TRUE(std::has_single_bit(site.slot_count));
    EXPECT_GE(site.slot_size, sizeof(runtime::RecordHeader) + site.body_size);
    EXPECT_EQ(site.slot_size % runtime::kCacheLine, 0u);
    end = site.slots_offset + std::uint64_t{site.slot_size} * site.slot_count;
  }
  EXPECT_GE(layout->region_size, end);
  EXPECT_EQ(layout->region_size % 4096, 0u);
}

TEST(RunLayout, HighRatesGetMoreRoomWithinABound) {
  const std::vector<SiteNeeds> needs = {{.body_size = 100, .hits_per_second = 1},
                                        {.body_size = 100, .hits_per_second = 10000},
                                        {.body_size = 100, .hits_per_second = 100'000'000}};
  const auto layout = plan_layout(1, needs);
  EXPECT_EQ(layout->sites[0].slot_count, 8u);
  EXPECT_GE(layout->sites[1].slot_count, 3333u);
  EXPECT_LE(std::uint64_t{layout->sites[2].slot_count} * layout->sites[2].slot_size, 8u << 20);
}

TEST(RunLayout, WhatIsGrantedAtOnceFindsItsSlots) {
  const std::vector<SiteNeeds> needs = {{.body_size = 100, .hits_per_second = 50},
                                        {.body_size = 100, .hits_per_second = 200}};
  const auto layout = plan_layout(1, needs);
  EXPECT_GE(layout->sites[0].slot_count, 50u);
  EXPECT_GE(layout->sites[1].slot_count, kGrantAtOnce);
}

TEST(RunLayout, RefusesWhatDoesNotFit) {
  const std::vector<SiteNeeds> large = {{.body_size = runtime::kMaxRecordBody + 1}};
  EXPECT_EQ(plan_layout(1, large).error().reason, "record-too-large");
  const std::vector<SiteNeeds> many(runtime::kMaxProbes + 1);
  EXPECT_EQ(plan_layout(1, many).error().reason, "too-many-sites");
}

}  // namespace
}  // namespace nohalt::records
