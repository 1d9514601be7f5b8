// Which return is taken for that of which call, whatever calls left behind.
#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "probes/records/tsc_clock.h"
#include "tests/unit/runtime/in_process_run.h"

namespace nohalt {
namespace {

using runtime::HitContext;
using runtime::ProbeState;
using runtime::RuntimeEntry;

constexpr std::uint64_t kFrame = 0x7ffc12345670;

// Site 0 begins calls of one function, site 1 ends them; site 2 begins those of another.
class Calls : public ::testing::Test {
 protected:
  Calls() : run_({{.body_size = 24}, {.body_size = 24}, {.body_size = 24}}) {
    run_.open_wide();
    for (std::size_t i = 0; i < 3; ++i) {
      sites_[i] = run_.constants(i);
      hits_[i].site = &sites_[i];
    }
    sites_[1].calls_of = 0;
    open_ = run_.function<Entry>(RuntimeEntry::kOpenCall);
    close_ = run_.function<Entry>(RuntimeEntry::kCloseCall);
  }
  using Entry = std::uint64_t (*)(HitContext*, std::uint64_t);

  std::uint64_t open(std::uint64_t frame, std::size_t site = 0) {
    return open_(&hits_[site], frame);
  }
  std::uint64_t close(std::uint64_t frame) { return close_(&hits_[1], frame); }

  testing::InProcessRun run_;
  runtime::SiteConstants sites_[3]{};
  HitContext hits_[3]{};
  Entry open_;
  Entry close_;
};

TEST_F(Calls, AReturnHasTheNumberOfItsCall) {
  run_.probe(0).next_seq = 5'000'000;
  ASSERT_EQ(open(kFrame), 1U);
  ASSERT_EQ(open(kFrame - 64), 1U);
  EXPECT_EQ(close(kFrame - 64), 1U);
  EXPECT_EQ(hits_[1].seq, 5'000'001U);
  EXPECT_EQ(close(kFrame), 1U);
  EXPECT_EQ(hits_[1].seq, 5'000'000U);
  EXPECT_GT(hits_[1].tsc_begin, hits_[0].tsc_begin);
}

TEST_F(Calls, ACallEndsOnce) {
  ASSERT_EQ(open(kFrame), 1U);
  EXPECT_EQ(close(kFrame), 1U);
  EXPECT_EQ(close(kFrame), 0U);
}

TEST_F(Calls, ACallThatIsNotChosenIsNotSeenToReturn) {
  run_.probe(0).seq_limit = 1;
  ASSERT_EQ(open(kFrame), 1U);
  EXPECT_EQ(open(kFrame - 64), 0U);
  EXPECT_EQ(close(kFrame - 64), 0U);
  EXPECT_EQ(close(kFrame), 1U);
}

// The first was left by longjmp, say; the second is over the rate.
TEST_F(Calls, AnotherCallWithTheSameFrameForgetsTheOneBeforeEvenUnchosen) {
  run_.probe(0).seq_limit = 1;
  ASSERT_EQ(open(kFrame), 1U);
  EXPECT_EQ(open(kFrame), 0U);
  EXPECT_EQ(close(kFrame), 0U);
}

TEST_F(Calls, AnotherCallWithTheSameFrameTakesItsPlace) {
  ASSERT_EQ(open(kFrame), 1U);
  ASSERT_EQ(open(kFrame), 1U);
  EXPECT_EQ(close(kFrame), 1U);
  EXPECT_EQ(hits_[1].seq, 1U);
  EXPECT_EQ(close(kFrame), 0U);
}

// By a tail call both have one frame.
TEST_F(Calls, FunctionsAreToldApart) {
  ASSERT_EQ(open(kFrame, 2), 1U);
  EXPECT_EQ(close(kFrame), 0U);
  ASSERT_EQ(open(kFrame), 1U);
  EXPECT_EQ(close(kFrame), 1U);
}

TEST_F(Calls, NobodyIsFoundWhileTheEntriesAreOff) {
  ASSERT_EQ(open(kFrame), 1U);
  run_.probe(0).state = static_cast<std::uint32_t>(ProbeState::kLapsed);
  EXPECT_EQ(close(kFrame), 0U);
  run_.probe(0).state = static_cast<std::uint32_t>(ProbeState::kOn);
  EXPECT_EQ(close(kFrame), 0U);
}

TEST_F(Calls, NobodyIsFoundPastTheLease) {
  ASSERT_EQ(open(kFrame), 1U);
  run_.constants(0).control->lease_deadline_tsc = records::TscClock::now();
  EXPECT_EQ(close(kFrame), 0U);
}

TEST_F(Calls, TheToolEmptiesTheTable) {
  ASSERT_EQ(open(kFrame), 1U);
  run_.tool_side().forget_calls();
  EXPECT_EQ(close(kFrame), 0U);
}

TEST_F(Calls, WhatIsNoFrameIsAdmittedButNotNoted) {
  for (const std::uint64_t frame : {std::uint64_t{0}, std::uint64_t{512}, kFrame + 4,
                                    std::uint64_t{1} << 47, ~std::uint64_t{7}}) {
    EXPECT_EQ(open(frame), 1U) << frame;
    EXPECT_EQ(close(frame), 0U) << frame;
  }
}

// However full it gets, what is found is right.
TEST_F(Calls, AFullTableLosesNotesButMixesNone) {
  constexpr std::uint64_t kMany = 5000;
  for (std::uint64_t i = 0; i < kMany; ++i) ASSERT_EQ(open(kFrame - i * 48), 1U);
  std::uint64_t found = 0;
  for (std::uint64_t i = 0; i < kMany; ++i) {
    if (close(kFrame - i * 48) == 0) continue;
    ++found;
    ASSERT_EQ(hits_[1].seq, i);
  }
  EXPECT_GT(found, 500U);
  EXPECT_LE(found, std::uint64_t{runtime::kCallBuckets} * runtime::kCallsInBucket);
}

// Stacks of threads are often alike but for high bits.
TEST_F(Calls, ThreadsAtTheSameDepthKeepTheirCalls) {
  for (std::uint64_t thread = 0; thread < 200; ++thread)
    ASSERT_EQ(open(kFrame - thread * (std::uint64_t{8} << 20)), 1U);
  std::uint64_t found = 0;
  for (std::uint64_t thread = 0; thread < 200; ++thread)
    found += close(kFrame - thread * (std::uint64_t{8} << 20));
  EXPECT_GT(found, 190U);
}

TEST_F(Calls, ThreadsAtOnceFindOnlyTheirOwn) {
  constexpr int kThreads = 4;
  std::vector<std::thread> threads;
  std::vector<int> mixed(kThreads, 0);
  std::vector<int> seen(kThreads, 0);
  for (int which = 0; which < kThreads; ++which) {
    threads.emplace_back([&, which] {
      HitContext begin{};
      HitContext end{};
      begin.site = &sites_[0];
      end.site = &sites_[1];
      const std::uint64_t frame = kFrame - static_cast<std::uint64_t>(which) * 4096;
      for (int i = 0; i < 20'000; ++i) {
        if (open_(&begin, frame) == 0 || close_(&end, frame) == 0) continue;
        ++seen[which];
        if (end.seq != begin.seq) ++mixed[which];
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int which = 0; which < kThreads; ++which) {
    EXPECT_EQ(mixed[which], 0);
    EXPECT_GT(seen[which], 0);
  }
}

}  // namespace
}  // namespace nohalt
