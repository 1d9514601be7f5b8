// Grants, leases and what is accepted. The target is played by the test: it takes
// numbers below the limit, or cheats.
#include "probes/records/probe_pump.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <vector>

namespace nohalt::records {
namespace {

using runtime::ProbeControl;
using runtime::ProbeState;

constexpr std::uint32_t kBody = 100;

class Pump : public ::testing::Test {
 protected:
  void SetUp() override {
    auto clock = TscClock::calibrate();
    if (!clock) GTEST_SKIP() << clock.error().message;
    clock_ = *clock;
    const std::vector<SiteNeeds> needs = {{.body_size = kBody}};
    const RunLayout layout = *plan_layout(1, needs);
    const UniqueFd fd = *create_control_memfd(layout);
    region_ = std::make_unique<ControlRegion>(*ControlRegion::map(fd.get(), layout));
  }

  void start(SitePumpLimits limits, double lease_seconds = 60) {
    pump_ = std::make_unique<ProbePump>(
        *region_, *clock_, PumpLimits{.lease_seconds = lease_seconds, .sites = {limits}});
    pump_->start(now_);
  }
  void advance(double seconds) { now_ += clock_->ticks(seconds); }
  ProbeControl& probe() { return region_->probe(0); }
  [[nodiscard]] ProbeState state() const {
    return static_cast<ProbeState>(region_->probe(0).state);
  }
  // What the target does when hits come without end.
  std::uint64_t take_all() {
    const std::uint64_t taken =
        probe().seq_limit > probe().next_seq ? probe().seq_limit - probe().next_seq : 0;
    probe().next_seq = probe().next_seq + taken;
    return taken;
  }
  [[nodiscard]] RingRecord record(std::uint64_t seq) const {
    RingRecord made;
    made.seq = seq;
    made.tsc = now_;
    return made;
  }

  std::optional<TscClock> clock_;
  std::unique_ptr<ControlRegion> region_;
  std::unique_ptr<ProbePump> pump_;
  Ticks now_ = 1'000'000'000'000;
};

TEST_F(Pump, FirstHitNeverWaits) {
  start({.hits_per_second = 1});
  EXPECT_EQ(take_all(), 1u);
}

// The first hit of a run finds nothing in the caches, and counts as an outlier.
TEST_F(Pump, ASingleColdHitHasTheCostThatItHad) {
  start({.hits_per_second = 1});
  probe().outliers = 1;
  probe().cost_ticks_worst = clock_->ticks(1e-6);
  EXPECT_GT(pump_->counters(0).worst_cost_ns, 0);
  EXPECT_EQ(pump_->counters(0).mean_cost_ns, pump_->counters(0).worst_cost_ns);
}

TEST_F(Pump, SteadyHitsGetTheFullRateAndNoMore) {
  start({.hits_per_second = 50});
  std::uint64_t taken = take_all();
  for (int i = 0; i < 400; ++i) {  // ten seconds
    advance(0.02501);
    pump_->tick(now_);
    taken += take_all();
  }
  EXPECT_GE(taken, 480u);
  EXPECT_LE(taken, 550u);
}

TEST_F(Pump, AnyWindowAdmitsAtMostTheRate) {
  start({.hits_per_second = 7});
  std::uint64_t in_window = take_all();
  for (int i = 1; i <= 1000; ++i) {
    advance(0.1);
    pump_->tick(now_);
    if (i % 10 == 0) in_window = 0;
    if (i % 3 != 0) in_window += take_all();
    ASSERT_LE(in_window, 7u);
  }
}

TEST_F(Pump, UnusedHitsOfAWindowAreNotSaved) {
  start({.hits_per_second = 2000});
  advance(0.95);
  pump_->tick(now_);
  EXPECT_EQ(probe().seq_limit, 2000u);
  advance(0.06);
  pump_->tick(now_);
  EXPECT_EQ(probe().seq_limit, 200u);
}

TEST_F(Pump, BurstWithinASmallRateIsGrantedAtOnce) {
  start({.hits_per_second = 10});
  EXPECT_EQ(take_all(), 10u);
}

TEST_F(Pump, ToolThatStopsLeavesAtMostOneWindowsGrant) {
  start({.hits_per_second = 10});
  advance(0.95);
  pump_->tick(now_);
  EXPECT_EQ(take_all(), 10u);
  EXPECT_EQ(take_all(), 0u);
}

TEST_F(Pump, BytesPerSecondLowerTheHits) {
  start({.hits_per_second = 100, .bytes_per_second = 5 * kBody});
  advance(0.95);
  pump_->tick(now_);
  EXPECT_EQ(take_all(), 5u);
}

TEST_F(Pump, TotalIsExactWhateverTheRate) {
  start({.hits_per_second = 100000, .total_hits = 3});
  std::uint64_t taken = take_all();
  for (int i = 0; i < 50; ++i) {
    advance(0.1);
    pump_->tick(now_);
    taken += take_all();
  }
  EXPECT_EQ(taken, 3u);
  for (std::uint64_t seq = 0; seq < 3; ++seq) EXPECT_TRUE(pump_->accept(record(seq), now_));
  EXPECT_TRUE(pump_->finished());
}

TEST_F(Pump, HitThatFoundNoSlotIsGrantedAgain) {
  start({.hits_per_second = 10, .total_hits = 1});
  EXPECT_EQ(take_all(), 1u);
  probe().dropped = 1;
  advance(0.2);
  pump_->tick(now_);
  EXPECT_EQ(take_all(), 1u);
}

TEST_F(Pump, DeadlineIsNearAndNeverBeyondTheLease) {
  start({}, 2);
  const Ticks begin = now_;
  EXPECT_LE(region_->control().lease_deadline_tsc, begin + clock_->ticks(1.5));
  advance(1);
  pump_->tick(now_);
  EXPECT_EQ(region_->control().lease_deadline_tsc, begin + clock_->ticks(2));
  EXPECT_FALSE(pump_->lease_over(now_));
  advance(1.1);
  pump_->tick(now_);
  EXPECT_EQ(region_->control().lease_deadline_tsc, begin + clock_->ticks(2));
  EXPECT_TRUE(pump_->lease_over(now_));
}

TEST_F(Pump, LateToolTurnsItsProbesOnAgain) {
  start({});
  probe().state = static_cast<std::uint32_t>(ProbeState::kLapsed);
  advance(3);
  pump_->tick(now_);
  EXPECT_EQ(state(), ProbeState::kOn);
}

TEST_F(Pump, ProbeIsNotTurnedOnAgainAfterTheLeaseOrOverBudget) {
  start({}, 2);
  probe().state = static_cast<std::uint32_t>(ProbeState::kSwitchedOffCpu);
  advance(1);
  pump_->tick(now_);
  EXPECT_EQ(state(), ProbeState::kSwitchedOffCpu);
  EXPECT_TRUE(pump_->finished());
  probe().state = static_cast<std::uint32_t>(ProbeState::kLapsed);
  advance(2);
  pump_->tick(now_);
  EXPECT_EQ(state(), ProbeState::kLapsed);
}

TEST_F(Pump, CpuWindowIsClearedEachSecond) {
  start({});
  probe().cpu_ticks_used = 5;
  region_->control().cpu_ticks_used = 5;
  advance(0.5);
  pump_->tick(now_);
  EXPECT_EQ(probe().cpu_ticks_used, 5u);
  advance(0.6);
  pump_->tick(now_);
  EXPECT_EQ(probe().cpu_ticks_used, 0u);
  EXPECT_EQ(region_->control().cpu_ticks_used, 0u);
}

TEST_F(Pump, StoppedProbesAreOffAndHaveNoGrant) {
  start({});
  pump_->stop();
  EXPECT_EQ(state(), ProbeState::kOff);
  EXPECT_EQ(probe().seq_limit, 0u);
  EXPECT_LE(region_->control().lease_deadline_tsc, TscClock::now()) << "over, not for ever";
  advance(1);
  pump_->tick(now_);
  EXPECT_EQ(state(), ProbeState::kOff);
}

TEST_F(Pump, ForgedRecordsAreDiscardedAndCounted) {
  start({.hits_per_second = 1});  // grants number 0
  EXPECT_TRUE(pump_->accept(record(0), now_));
  EXPECT_FALSE(pump_->accept(record(0), now_)) << "twice";
  EXPECT_FALSE(pump_->accept(record(1), now_)) << "not granted";
  EXPECT_FALSE(pump_->accept(record(~0ULL), now_));
  EXPECT_EQ(pump_->stats().repeated, 1u);
  EXPECT_EQ(pump_->stats().beyond_grant, 2u);
}

TEST_F(Pump, RecordsFromOutsideTheLeaseAreDiscarded) {
  start({});
  RingRecord early = record(0);
  early.tsc -= 1;
  RingRecord future = record(0);
  future.tsc += 1;
  EXPECT_FALSE(pump_->accept(early, now_));
  EXPECT_FALSE(pump_->accept(future, now_));
  EXPECT_EQ(pump_->stats().outside_lease, 2u);
}

TEST_F(Pump, RewoundCounterWinsNoGrant) {
  start({.hits_per_second = 10});
  for (int i = 0; i < 40; ++i) {
    take_all();
    probe().next_seq = 0;
    advance(0.1);
    pump_->tick(now_);
  }
  EXPECT_LE(probe().seq_limit, 10u);
}

TEST_F(Pump, CounterAheadOfItsGrantIsTampering) {
  start({.hits_per_second = 10});
  probe().next_seq = 1'000'000;
  advance(1.1);
  pump_->tick(now_);
  EXPECT_EQ(pump_->stats().tampered, 1u);
  EXPECT_LE(probe().seq_limit, 20u);  // what was granted, and one window more
}

TEST_F(Pump, LateRecordsAreAcceptedInAnyOrder) {
  start({.hits_per_second = 1'000'000});
  advance(0.95);
  pump_->tick(now_);
  take_all();
  EXPECT_TRUE(pump_->accept(record(60'000), now_));
  EXPECT_TRUE(pump_->accept(record(3), now_));
  EXPECT_TRUE(pump_->accept(record(200'000), now_));
  EXPECT_TRUE(pump_->accept(record(140'000), now_));
  EXPECT_FALSE(pump_->accept(record(200'000), now_));
  EXPECT_FALSE(pump_->accept(record(4), now_)) << "too old to be told from a repetition";
}

}  // namespace
}  // namespace nohalt::records
