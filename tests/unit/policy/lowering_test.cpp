// Limits: what is asked above the maxima is lowered and said; the built-in
// maxima let the largest rates through when asked for.
#include "policy/limits/lowering.h"

#include <gtest/gtest.h>

namespace nohalt::policy {
namespace {

TEST(Lowering, DefaultsHoldWhereNothingIsAsked) {
  const LoweredLimits lowered = lower_limits({}, Limits{}, builtin_maxima());
  EXPECT_EQ(lowered.granted.hits_per_second, 10U);
  EXPECT_EQ(lowered.granted.lease, std::chrono::minutes{10});
  EXPECT_DOUBLE_EQ(lowered.granted.cpu_share, 0.01);
  EXPECT_TRUE(lowered.notes.empty());
}

TEST(Lowering, TheBuiltInMaximaAllowTheLargestRatesWhenAskedFor) {
  AskedLimits asked;
  asked.hits_per_second = 100'000'000;
  asked.bytes_per_second = 100'000'000ULL * 256;
  asked.cpu_share = 1.0;
  asked.lease = std::chrono::hours{1};
  const LoweredLimits lowered = lower_limits(asked, Limits{}, builtin_maxima());
  EXPECT_EQ(lowered.granted.hits_per_second, 100'000'000U);
  EXPECT_EQ(lowered.granted.bytes_per_second, 100'000'000ULL * 256);
  EXPECT_DOUBLE_EQ(lowered.granted.cpu_share, 1.0);
  EXPECT_TRUE(lowered.notes.empty());
}

TEST(Lowering, EachLoweringIsSaidOnce) {
  Limits maxima;
  maxima.hits_per_second = 50;
  maxima.cpu_share = 0.005;
  AskedLimits asked;
  asked.hits_per_second = 51;
  asked.cpu_share = 0.02;
  asked.lease = std::chrono::minutes{10};
  const LoweredLimits lowered = lower_limits(asked, Limits{}, maxima);
  EXPECT_EQ(lowered.granted.hits_per_second, 50U);
  EXPECT_DOUBLE_EQ(lowered.granted.cpu_share, 0.005);
  EXPECT_EQ(lowered.notes, (std::vector<std::string>{
                               "--limit 51/s was lowered to 50/s, the most that the policy allows.",
                               "--cpu 2% was lowered to 0.5%, the most that the policy allows."}));
}

TEST(Lowering, ADefaultAboveTheMaximumIsLoweredWithoutATale) {
  Limits maxima;
  maxima.hits_per_second = 5;
  const LoweredLimits lowered = lower_limits({}, Limits{}, maxima);
  EXPECT_EQ(lowered.granted.hits_per_second, 5U);
  EXPECT_TRUE(lowered.notes.empty());
}

TEST(Lowering, SpellsQuantitiesAsOptionsDo) {
  EXPECT_EQ(duration_text(std::chrono::minutes{90}), "90m");
  EXPECT_EQ(duration_text(std::chrono::hours{2}), "2h");
  EXPECT_EQ(duration_text(std::chrono::milliseconds{1500}), "1500ms");
  EXPECT_EQ(duration_text(std::chrono::microseconds{50}), "50us");
  EXPECT_EQ(percent_text(0.0123), "1.23%");
}

}  // namespace
}  // namespace nohalt::policy
