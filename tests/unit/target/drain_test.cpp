// Waiting until nobody is in certain code of a live process.
#include "probes/target/drain.h"

#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <functional>
#include <optional>
#include <thread>
#include <vector>

#include "probes/target/sampler.h"
#include "tests/unit/target/child.h"
#include "tests/unit/target/code_page.h"

namespace nohalt::target {
namespace {

using std::chrono::milliseconds;
using test::Child;
using test::Shared;

constexpr milliseconds kPatience{2'000};

bool can_sample() { return SampleEvent::open(::gettid()).has_value(); }

void forbid_sampling() {
  sock_filter rules[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_perf_event_open, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{std::size(rules), rules};
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

struct Outcome {
  bool left = false;
  std::uint64_t holds = 0;  // of the waiting alone
};

// One whole session that waits until the child's threads are outside; `before` runs
// once it has begun.
std::optional<Outcome> wait_for(
    const Child& child, RuntimeRange code, milliseconds patience,
    const std::function<void()>& before = [] {}) {
  const auto process = Process::open(child.pid());
  if (!process) return std::nullopt;
  const auto lock = TargetLock::acquire(*process);
  if (!lock) return std::nullopt;
  auto thread = RemoteThread::borrow(*process, *lock);
  if (!thread || !thread->raw_call(SYS_getpid, {})) return std::nullopt;
  before();
  const std::uint64_t held = thread->holds().count;
  const auto left = wait_until_left(*thread, std::span(&code, 1), patience);
  if (!left || !thread->finish()) return std::nullopt;
  return Outcome{*left, thread->holds().count - held};
}

int spin_in_threads(Shared& shared, int count) {
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i)
    threads.emplace_back([&] {
      while (shared.go == 0) {
      }
    });
  shared.ready = 1;
  for (auto& thread : threads) thread.join();
  return 0;
}

TEST(Drain, HoldsNobodyThatComputesAllTheTime) {
  if (!can_sample()) GTEST_SKIP() << "threads cannot be sampled here";
  const test::CodePage code;
  Child child([](Shared& shared) { return spin_in_threads(shared, 16); });
  child.wait_ready();
  const auto outcome = wait_for(child, code.range(), kPatience);
  ASSERT_TRUE(outcome);
  EXPECT_TRUE(outcome->left);
  EXPECT_EQ(outcome->holds, 0U);
  child.shared().go = 1;
  EXPECT_EQ(child.join(), 0);
}

TEST(Drain, AsksByAStopWhereSamplingIsNotAllowed) {
  const test::CodePage code;
  Child child([](Shared& shared) { return spin_in_threads(shared, 4); });
  child.wait_ready();
  Child tool([&](Shared&) {
    forbid_sampling();
    const auto outcome = wait_for(child, code.range(), kPatience);
    return outcome && outcome->left ? static_cast<int>(outcome->holds) : 100;
  });
  EXPECT_EQ(tool.join(), 4);
  child.shared().go = 1;
  EXPECT_EQ(child.join(), 0);
}

TEST(Drain, AsksByAStopWhereAStackIsDeeperThanASample) {
  const test::CodePage code;
  Child child([](Shared& shared) {
    std::thread([&] {
      std::array<volatile char, std::size_t{200} * 1024> room;
      room[0] = 0;
      shared.ready = 1;
      while (shared.go == 0) {
      }
      return room[0];
    }).join();
    return 0;
  });
  child.wait_ready();
  const auto outcome = wait_for(child, code.range(), kPatience);
  ASSERT_TRUE(outcome);
  EXPECT_TRUE(outcome->left);
  EXPECT_EQ(outcome->holds, 1U);
}

TEST(Drain, GivesUpOnAThreadThatStaysInTheCode) {
  const test::CodePage code;
  Child child([&](Shared& shared) {
    std::thread([&] { code.stay(shared.go, shared.ready); }).join();
    return 0;
  });
  child.wait_ready();
  const auto outcome = wait_for(child, code.range(), milliseconds{300});
  ASSERT_TRUE(outcome);
  EXPECT_FALSE(outcome->left);
}

TEST(Drain, MainThreadThatEndsBeforeTheOthersIsOutside) {
  const test::CodePage code;
  Child child([](Shared& shared) {
    std::thread([&] {
      while (shared.other == 0) std::this_thread::sleep_for(milliseconds(1));
      ::_exit(0);
    }).detach();
    shared.ready = 1;
    while (shared.go == 0) std::this_thread::sleep_for(milliseconds(1));
    ::syscall(SYS_exit, 0);
    return 0;
  });
  child.wait_ready();
  const auto outcome = wait_for(child, code.range(), kPatience, [&] { child.shared().go = 1; });
  ASSERT_TRUE(outcome);
  EXPECT_TRUE(outcome->left);
  child.shared().other = 1;
  EXPECT_EQ(child.join(), 0);
}

TEST(Drain, ManyThreadsThatComeAndGoAreServed) {
  const test::CodePage code;
  Child child([](Shared& shared) {
    shared.ready = 1;
    while (shared.go == 0) {
      std::vector<std::thread> threads;
      for (int i = 0; i < 200; ++i)
        threads.emplace_back([] { std::this_thread::sleep_for(milliseconds(5)); });
      for (auto& thread : threads) thread.join();
    }
    return 0;
  });
  child.wait_ready();
  const auto outcome = wait_for(child, code.range(), kPatience);
  ASSERT_TRUE(outcome);
  EXPECT_TRUE(outcome->left);
  child.shared().go = 1;
  EXPECT_EQ(child.join(), 0);
}

}  // namespace
}  // namespace nohalt::target
