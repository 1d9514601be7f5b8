// Who is admitted, what is counted and what is charged.
#include <gtest/gtest.h>

#include <cstring>

#include "probes/records/tsc_clock.h"
#include "tests/unit/runtime/in_process_run.h"

namespace nohalt {
namespace {

using runtime::HitContext;
using runtime::ProbeState;
using runtime::RecordHeader;
using runtime::RuntimeEntry;

class Gate : public ::testing::Test {
 protected:
  Gate() : run_({{.body_size = 24, .hits_per_second = 8}, {.body_size = 24}}) {
    run_.open_wide();
    site_ = run_.constants(0);
    hit_.site = &site_;
    take_token_ = run_.function<Word>(RuntimeEntry::kTakeToken);
    reserve_ = run_.function<Place>(RuntimeEntry::kReserve);
    commit_ = run_.function<With>(RuntimeEntry::kCommit);
    abandon_ = run_.function<With>(RuntimeEntry::kAbandon);
    finish_ = run_.function<End>(RuntimeEntry::kFinish);
  }
  using Word = std::uint64_t (*)(HitContext*);
  using Place = void* (*)(HitContext*);
  using With = void (*)(HitContext*, void*);
  using End = void (*)(HitContext*, std::uint64_t);

  void hit_of(std::uint64_t ticks);
  [[nodiscard]] ProbeState state() const { return static_cast<ProbeState>(run_.probe(0).state); }
  [[nodiscard]] runtime::ControlPage& control() const { return *site_.control; }

  testing::InProcessRun run_;
  runtime::SiteConstants site_{};
  HitContext hit_{};
  Word take_token_;
  Place reserve_;
  With commit_;
  With abandon_;
  End finish_;
};

TEST_F(Gate, AdmitsExactlyWhatIsGranted) {
  run_.probe(0).seq_limit = 3;
  int admitted = 0;
  for (int i = 0; i < 10; ++i) admitted += static_cast<int>(take_token_(&hit_));
  EXPECT_EQ(admitted, 3);
  EXPECT_EQ(run_.probe(0).next_seq, 3u);
  EXPECT_EQ(run_.probe(0).suppressed, 7u);
  EXPECT_EQ(run_.probe(0).hits(), 10u);
}

TEST_F(Gate, LapsedLeaseTurnsTheProbeOffWithoutAdmitting) {
  control().lease_deadline_tsc = records::TscClock::now();
  EXPECT_EQ(take_token_(&hit_), 0u);
  EXPECT_EQ(run_.probe(0).next_seq, 0u);
  EXPECT_EQ(state(), ProbeState::kLapsed);
}

TEST_F(Gate, LapsedLeaseIsFoundWhereNoHitAsksForAdmission) {
  control().lease_deadline_tsc = 1;
  for (int i = 0; i < 256; ++i) finish_(&hit_, 0);
  EXPECT_EQ(state(), ProbeState::kLapsed);
}

TEST_F(Gate, UnavailableConditionIsAnUnmatchedHitCountedApart) {
  finish_(&hit_, 4);
  finish_(&hit_, 0);
  EXPECT_EQ(run_.probe(0).unmatched, 2u);
  EXPECT_EQ(run_.probe(0).condition_unavailable, 1u);
  EXPECT_EQ(run_.probe(0).hits(), 2u);
}

TEST_F(Gate, RecordCarriesWhoWhenAndWhich) {
  run_.probe(0).suppressed = 5;
  ASSERT_EQ(take_token_(&hit_), 1u);
  void* body = reserve_(&hit_);
  ASSERT_NE(body, nullptr);
  commit_(&hit_, body);
  const auto& header =
      *reinterpret_cast<RecordHeader*>(static_cast<std::byte*>(body) - sizeof(RecordHeader));
  EXPECT_EQ(header.state, static_cast<std::uint32_t>(runtime::SlotState::kReady));
  EXPECT_EQ(header.owner_tid, static_cast<std::uint32_t>(gettid()));
  EXPECT_EQ(header.site, 0u);
  EXPECT_EQ(header.body_size, 24u);
  EXPECT_EQ(header.generation, site_.generation);
  EXPECT_EQ(header.seq, 0u);
  EXPECT_EQ(header.tsc, hit_.tsc_begin);
  EXPECT_EQ(header.suppressed, 5u);
}

TEST_F(Gate, FullRingDropsAndCounts) {
  int reserved = 0;
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(take_token_(&hit_), 1u);
    reserved += reserve_(&hit_) != nullptr ? 1 : 0;
  }
  EXPECT_EQ(reserved, 8);
  EXPECT_EQ(run_.probe(0).dropped, 12u);
}

TEST_F(Gate, AbandonedSlotIsFreeAgain) {
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(take_token_(&hit_), 1u);
    void* body = reserve_(&hit_);
    ASSERT_NE(body, nullptr);
    abandon_(&hit_, body);
  }
  EXPECT_EQ(run_.probe(0).abandoned, 20u);
}

TEST_F(Gate, ProbeThatSpentItsBudgetIsSwitchedOffAlone) {
  run_.probe(0).cpu_ticks_budget = 1;
  ASSERT_EQ(take_token_(&hit_), 1u);
  commit_(&hit_, reserve_(&hit_));
  EXPECT_EQ(state(), ProbeState::kSwitchedOffCpu);
  EXPECT_EQ(run_.probe(1).state, static_cast<std::uint32_t>(ProbeState::kOn));
}

TEST_F(Gate, RunThatSpentItsBudgetIsSwitchedOffWhole) {
  control().cpu_ticks_budget = 1;
  ASSERT_EQ(take_token_(&hit_), 1u);
  commit_(&hit_, reserve_(&hit_));
  EXPECT_EQ(state(), ProbeState::kSwitchedOffCpu);
  EXPECT_EQ(run_.probe(1).state, static_cast<std::uint32_t>(ProbeState::kSwitchedOffCpu));
}

TEST_F(Gate, HitsThatNeverMatchAreChargedToo) {
  for (int i = 0; i < 255; ++i) finish_(&hit_, 0);
  EXPECT_EQ(run_.probe(0).cpu_ticks_used, 0u);
  finish_(&hit_, 0);
  EXPECT_GT(run_.probe(0).cpu_ticks_used, 256u);
}

TEST_F(Gate, SuppressedHitsAreChargedToo) {
  run_.probe(0).seq_limit = 0;
  for (int i = 0; i < 256; ++i) take_token_(&hit_);
  EXPECT_GT(run_.probe(0).cpu_ticks_used, 256u);
}

// Commits one hit that took so long.
void Gate::hit_of(std::uint64_t ticks) {
  ASSERT_EQ(take_token_(&hit_), 1u);
  hit_.tsc_begin -= ticks;
  void* body = reserve_(&hit_);
  ASSERT_NE(body, nullptr);
  hit_.tsc_entry = runtime::kSlowHit;  // so that each is timed
  commit_(&hit_, body);
  std::memset(static_cast<std::byte*>(body) - sizeof(RecordHeader), 0, 8);
}

TEST_F(Gate, PreemptedHitsAreOutliersThatLeaveAModestProbeOn) {
  run_.probe(0).cpu_outlier_ticks = 2'000'000;
  run_.probe(0).cpu_ticks_budget = 20'000'000;
  for (int i = 0; i < 400; ++i) hit_of(i % 4 == 0 ? 10'000'000 : 10'000);
  EXPECT_EQ(run_.probe(0).outliers, 100u);
  EXPECT_EQ(run_.probe(0).cost_samples, 300u);
  EXPECT_GE(run_.probe(0).cost_ticks_worst, 10'000'000u);
  EXPECT_EQ(state(), ProbeState::kOn);
}

TEST_F(Gate, ProbeWhoseEveryHitIsDearIsSwitchedOff) {
  run_.probe(0).cpu_outlier_ticks = 2'000'000;
  run_.probe(0).cpu_ticks_budget = 20'000'000;
  for (int i = 0; i < 50; ++i) hit_of(1'000'000);
  EXPECT_EQ(state(), ProbeState::kSwitchedOffCpu);
}

TEST_F(Gate, NoHitIsChargedMoreThanTheBound) {
  run_.probe(0).cpu_outlier_ticks = 200'000;
  for (int i = 0; i < 50; ++i) hit_of(100'000'000);
  EXPECT_LE(run_.probe(0).cpu_ticks_used, 50 * 200'000u);
  EXPECT_EQ(run_.probe(0).outliers, 50u);
}

// A wild reading lifts the estimate by a quarter, and of each of the three others it
// takes an eighth: one in four for ever makes 221 of 100, as reckoned, and no more.
TEST_F(Gate, PreemptionsCannotBendTheEstimate) {
  run_.probe(0).quick_cost_ticks = 100;
  for (int i = 0; i < 1000; ++i) {
    finish_(&hit_, runtime::kLetOutEarly | (i % 4 == 0 ? 100'000'000 : 60));
  }
  EXPECT_LE(run_.probe(0).quick_cost_ticks, 222u);
}

TEST_F(Gate, EstimateFindsDearHitsSoon) {
  for (int i = 0; i < 40; ++i) finish_(&hit_, runtime::kLetOutEarly | 10'000);
  EXPECT_GE(run_.probe(0).quick_cost_ticks, 9'000u);
}

TEST_F(Gate, BatchOfHitsLetOutEarlyIsChargedAndTheLeaseAsked) {
  finish_(&hit_, runtime::kLetOutEarly);
  EXPECT_GT(run_.probe(0).cpu_ticks_used, 256u);
  EXPECT_EQ(state(), ProbeState::kOn);
  control().lease_deadline_tsc = 1;
  finish_(&hit_, runtime::kLetOutEarly);
  EXPECT_EQ(state(), ProbeState::kLapsed);
}

TEST_F(Gate, RuntimeNeverTurnsAProbeOn) {
  run_.probe(0).state = static_cast<std::uint32_t>(ProbeState::kOff);
  run_.probe(0).cpu_ticks_budget = 0;
  control().lease_deadline_tsc = 0;
  for (int i = 0; i < 600; ++i) {
    take_token_(&hit_);
    finish_(&hit_, 0);
  }
  EXPECT_EQ(state(), ProbeState::kOff);
}

}  // namespace
}  // namespace nohalt
