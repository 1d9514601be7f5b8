// Live threads seen outside certain code, or not, without a stop.
#include "probes/target/sampler.h"

#include <gtest/gtest.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <functional>
#include <optional>
#include <thread>
#include <vector>

#include "probes/target/threads.h"
#include "tests/unit/target/child.h"
#include "tests/unit/target/code_page.h"
#include "tests/unit/target/handlers.h"

namespace nohalt::target {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using test::Child;
using test::Shared;

constexpr milliseconds kLong{20'000};

void spin_until(const std::atomic<int>& go) {
  while (go == 0) {
  }
}

class Sampling : public testing::Test {
 protected:
  void SetUp() override {
    const auto event = SampleEvent::open(::gettid());
    if (!event) GTEST_SKIP() << event.error().message;
  }

  void watch(const Child& child) {
    const auto threads = list_threads(child.pid());
    ASSERT_TRUE(threads);
    inside_ = {threads->begin(), threads->end()};
    sampler_.emplace(child.pid(), std::span(&range_, 1));
  }
  // Looks again and again until `done`, or for very long.
  bool look_until(const std::function<bool()>& done) {
    const auto end = steady_clock::now() + kLong;
    while (!done() && steady_clock::now() < end) {
      sampler_->look(inside_);
      std::this_thread::sleep_for(milliseconds(1));
    }
    return done();
  }
  bool all_seen_outside() {
    return look_until([this] { return inside_.empty(); });
  }
  // Until the child's threads have had so much processor time that several samples
  // of each were due.
  void look_while_running(const Child& child) {
    constexpr std::uint64_t kSeveralPeriods = 30'000'000;
    const std::uint64_t enough = processor_time(child) + kSeveralPeriods;
    EXPECT_TRUE(look_until([&] { return processor_time(child) >= enough; }));
  }
  static std::uint64_t processor_time(const Child& child) {
    clockid_t clock{};
    timespec time{};
    ::clock_getcpuclockid(child.pid(), &clock);
    ::clock_gettime(clock, &time);
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
           static_cast<std::uint64_t>(time.tv_nsec);
  }

  const test::CodePage code_;
  const RuntimeRange range_ = code_.range();
  std::optional<Sampler> sampler_;
  std::set<pid_t> inside_;
};

TEST_F(Sampling, SeesEveryThreadThatComputesElsewhere) {
  Child child([](Shared& shared) {
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i) threads.emplace_back([&] { spin_until(shared.go); });
    shared.ready = 1;
    spin_until(shared.go);
    for (auto& thread : threads) thread.join();
    return 0;
  });
  child.wait_ready();
  watch(child);
  EXPECT_EQ(inside_.size(), 9U);
  EXPECT_TRUE(all_seen_outside());
  child.shared().go = 1;
  EXPECT_EQ(child.join(), 0);
}

TEST_F(Sampling, ThreadInTheCodeIsSeenOutsideOnlyOnceItHasLeft) {
  Child child([this](Shared& shared) {
    code_.stay(shared.go, shared.ready);
    while (shared.other == 0) {
    }
    return 0;
  });
  child.wait_ready();
  watch(child);
  look_while_running(child);
  EXPECT_EQ(inside_.size(), 1U);
  EXPECT_TRUE(sampler_->unclear().empty());
  child.shared().go = 1;
  EXPECT_TRUE(all_seen_outside());
  child.shared().other = 1;
  EXPECT_EQ(child.join(), 0);
}

TEST_F(Sampling, HandlerOnTopOfTheCodeIsInside) {
  Child child([this](Shared& shared) {
    test::in_handler = &shared;
    test::handle(SIGUSR1, test::stay_in_handler, 0);
    code_.stay(shared.go, shared.ready);
    return 0;
  });
  child.wait_ready();
  ::kill(child.pid(), SIGUSR1);
  test::wait_for(child.shared().value);
  watch(child);
  look_while_running(child);
  EXPECT_EQ(inside_.size(), 1U);
  EXPECT_TRUE(sampler_->unclear().empty());
}

TEST_F(Sampling, HandlerOnAnAlternateStackOnTopOfTheCodeIsInside) {
  Child child([this](Shared& shared) {
    test::handle_aside(shared, test::stay_in_handler);
    code_.stay(shared.go, shared.ready);
    return 0;
  });
  child.wait_ready();
  ::kill(child.pid(), SIGUSR1);
  test::wait_for(child.shared().value);
  watch(child);
  look_while_running(child);
  EXPECT_EQ(inside_.size(), 1U);
}

TEST_F(Sampling, HandlerOnAnAlternateStackOnTopOfAnotherIsNotSeenOutside) {
  Child child([this](Shared& shared) {
    test::handle_nested(shared, test::stay_in_handler);
    code_.stay(shared.go, shared.ready);
    return 0;
  });
  child.wait_ready();
  ::kill(child.pid(), SIGUSR1);
  test::wait_for(child.shared().value);
  watch(child);
  EXPECT_TRUE(look_until([this] { return !sampler_->unclear().empty(); }));
  EXPECT_EQ(inside_.size(), 1U);
}

// Spins with so much of the stack in use, most of it never touched.
template <std::size_t kBytes>
__attribute__((noinline)) int spin_deep(Shared& shared) {
  std::array<volatile char, kBytes> room;
  room[0] = 0;
  shared.ready = 1;
  spin_until(shared.go);
  return room[0];
}

TEST_F(Sampling, PagesOfAStackThatWereNeverTouchedAreSeen) {
  Child child([](Shared& shared) {
    std::thread([&] { spin_deep<40 * 1024>(shared); }).join();
    return 0;
  });
  child.wait_ready();
  watch(child);
  inside_.erase(child.pid());
  EXPECT_TRUE(all_seen_outside());
}

TEST_F(Sampling, StackDeeperThanASampleIsUnclear) {
  Child child([](Shared& shared) {
    std::thread([&] { spin_deep<200 * 1024>(shared); }).join();
    return 0;
  });
  child.wait_ready();
  watch(child);
  inside_.erase(child.pid());
  EXPECT_TRUE(look_until([this] { return !sampler_->unclear().empty(); }));
  look_while_running(child);
  EXPECT_EQ(inside_.size(), 1U);
}

TEST_F(Sampling, ThreadThatSleepsIsNeverSeen) {
  Child child([](Shared& shared) {
    shared.ready = 1;
    for (;;) ::pause();
    return 0;
  });
  child.wait_ready(true);
  watch(child);
  for (int i = 0; i < 20; ++i) {
    sampler_->look(inside_);
    std::this_thread::sleep_for(milliseconds(1));
  }
  EXPECT_EQ(inside_.size(), 1U);
  EXPECT_TRUE(sampler_->unclear().empty());
}

}  // namespace
}  // namespace nohalt::target
