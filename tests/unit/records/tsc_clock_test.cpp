#include "probes/records/tsc_clock.h"

#include <gtest/gtest.h>
#include <time.h>
#include <unistd.h>

#include <fstream>
#include <optional>
#include <string>

namespace nohalt::records {
namespace {

std::int64_t wall_now() {
  timespec time{};
  clock_gettime(CLOCK_REALTIME, &time);
  return time.tv_sec * 1'000'000'000LL + time.tv_nsec;
}

class Clock : public ::testing::Test {
 protected:
  void SetUp() override {
    auto clock = TscClock::calibrate();
    if (!clock) GTEST_SKIP() << clock.error().message;
    clock_ = *clock;
  }
  std::optional<TscClock> clock_;
};

// A reading lies between the wall clock before and after it, as far as the rate
// is known after so short a calibration.
TEST_F(Clock, TellsTheWallTimeOfAReading) {
  constexpr std::int64_t kSlack = 100'000;
  usleep(50'000);
  const std::int64_t before = wall_now();
  const Ticks at = TscClock::now();
  const std::int64_t after = wall_now();
  EXPECT_GE(clock_->wall_ns(at), before - kSlack);
  EXPECT_LE(clock_->wall_ns(at), after + kSlack);
}

TEST_F(Clock, TellsTimesBeforeTheLastRefresh) {
  const std::int64_t before = wall_now();
  const Ticks at = TscClock::now();
  usleep(20'000);
  clock_->refresh();
  EXPECT_NEAR(static_cast<double>(clock_->wall_ns(at) - before), 0, 1e6);
}

TEST_F(Clock, TicksAndNanosecondsAgree) { EXPECT_NEAR(clock_->ns(clock_->ticks(2.5)), 2.5e9, 10); }

TEST(ClockSource, OtherThanTheCounterIsRefused) {
  const std::string path = ::testing::TempDir() + "/clocksource";
  std::ofstream(path) << "hpet\n";
  EXPECT_EQ(TscClock::calibrate(path).error().reason, "clock-not-tsc");
  EXPECT_EQ(TscClock::calibrate(path + ".none").error().reason, "clock-not-tsc");
}

}  // namespace
}  // namespace nohalt::records
