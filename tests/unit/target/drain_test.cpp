// Waiting until nobody is in certain code of a live process.
#include "probes/target/drain.h"

#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "probes/target/sampler.h"
#include "tests/unit/target/child.h"
#include "tests/unit/target/code_page.h"
#include "tests/unit/target/handlers.h"

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
  std::string who;          // may still be inside
  std::uint64_t holds = 0;  // of the waiting alone
};

// One whole session that waits until the child's threads are outside; `before` runs
// once it has begun.
Result<Outcome> session(const Child& child, RuntimeRange code, milliseconds patience,
                        const std::function<void()>& before) {
  NOHALT_TRY(const Process process, Process::open(child.pid()));
  NOHALT_TRY(const TargetLock lock, TargetLock::acquire(process));
  NOHALT_TRY(RemoteThread thread, RemoteThread::borrow(process, lock));
  NOHALT_CHECK(thread.raw_call(SYS_getpid, {}));
  before();
  const std::uint64_t held = thread.holds().count;
  NOHALT_TRY(const auto who, wait_until_left(thread, std::span(&code, 1), patience));
  NOHALT_CHECK(thread.finish());
  return Outcome{!who, who.value_or(""), thread.holds().count - held};
}

// The same; a session that failed says why.
std::optional<Outcome> wait_for(
    const Child& child, RuntimeRange code, milliseconds patience,
    const std::function<void()>& before = [] {}) {
  const auto outcome = session(child, code, patience, before);
  if (outcome) return *outcome;
  ADD_FAILURE() << outcome.error().message;
  return std::nullopt;
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

// --- who else may be inside ---

struct Visit {
  const test::CodePage* code;
  Shared* shared;
};

int visit(void* what) {
  const auto& visit = *static_cast<Visit*>(what);
  visit.code->stay(visit.shared->go, visit.shared->ready);
  return 0;
}

TEST(Drain, ProcessThatSharesTheMemoryIsWaitedForAndNamed) {
  const test::CodePage code;
  Child child([&](Shared& shared) {
    static std::array<std::byte, 65536> stack;
    Visit there{&code, &shared};
    const pid_t visitor = ::clone(visit, stack.data() + stack.size(), CLONE_VM | SIGCHLD, &there);
    shared.value = static_cast<std::uint64_t>(visitor);
    int status = -1;
    while (::waitpid(visitor, &status, 0) < 0) {
    }
    shared.other = 1;
    while (shared.other == 1) std::this_thread::sleep_for(milliseconds(1));
    return status;
  });
  child.wait_ready();
  const auto kept = wait_for(child, code.range(), milliseconds{300});
  child.shared().go = 1;
  ASSERT_TRUE(kept);
  EXPECT_FALSE(kept->left);
  EXPECT_NE(kept->who.find("process " + std::to_string(child.shared().value)), std::string::npos)
      << kept->who;
  test::wait_for(child.shared().other);
  const auto alone = wait_for(child, code.range(), kPatience);
  ASSERT_TRUE(alone);
  EXPECT_TRUE(alone->left) << alone->who;
  child.shared().other = 2;
  EXPECT_EQ(child.join(), 0);
}

// A scheduler of two fibers, of which one is interrupted in the code.
std::array<ucontext_t, 2> fibers;
const test::CodePage* visited = nullptr;

void interrupt_fiber(int) { ::swapcontext(&fibers[0], &fibers[1]); }

void other_fiber() {
  test::in_handler->value = 1;
  while (test::in_handler->other == 0) std::this_thread::sleep_for(milliseconds(1));
  ::setcontext(fibers.data());
}

int run_fibers(Shared& shared) {
  std::thread([] { std::this_thread::sleep_for(std::chrono::minutes(1)); }).detach();  // to borrow
  static std::array<std::array<std::byte, 65536>, 2> stacks;
  test::in_handler = &shared;
  test::handle(SIGUSR1, interrupt_fiber, 0);
  const std::array<void (*)(), 2> bodies{[] {
                                           visited->stay(test::in_handler->go,
                                                         test::in_handler->ready);
                                           ::_exit(0);
                                         },
                                         other_fiber};
  for (std::size_t i = 0; i < fibers.size(); ++i) {
    ::getcontext(&fibers[i]);
    fibers[i].uc_stack.ss_sp = stacks[i].data();
    fibers[i].uc_stack.ss_size = stacks[i].size();
    fibers[i].uc_link = nullptr;
    ::makecontext(&fibers[i], bodies[i], 0);
  }
  ::setcontext(fibers.data());
  return 1;
}

TEST(Drain, ContextThatAHandlerPutAsideInTheCodeIsFound) {
  const test::CodePage code;
  visited = &code;
  Child child(run_fibers);
  child.wait_ready();
  // To the thread that is in the code: the process has another that would take it.
  ASSERT_EQ(::syscall(SYS_tgkill, child.pid(), child.pid(), SIGUSR1), 0);
  test::wait_for(child.shared().value);
  const auto outcome = wait_for(child, code.range(), kPatience);
  ASSERT_TRUE(outcome);
  EXPECT_FALSE(outcome->left);
  EXPECT_NE(outcome->who.find("context"), std::string::npos) << outcome->who;
  child.shared().other = 1;
  child.shared().go = 1;
  EXPECT_EQ(child.join(), 0);
}

}  // namespace
}  // namespace nohalt::target
