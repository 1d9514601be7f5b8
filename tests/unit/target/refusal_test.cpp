// Targets in which no helper thread can be had, or none that does its work.
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <span>
#include <thread>

#include "probes/target/image.h"
#include "probes/target/remote_thread.h"
#include "probes/target/threads.h"
#include "src/base/unique_fd.h"
#include "tests/unit/target/child.h"

namespace nohalt::target {
namespace {

using std::chrono::milliseconds;
using test::Child;
using test::Shared;

int spin(Shared& shared) {
  shared.ready = 1;
  while (shared.go == 0) shared.value.fetch_add(1, std::memory_order_relaxed);
  return 0;
}

struct Opened {
  Process process;
  TargetLock lock;
};

Result<Opened> open_target(pid_t pid) {
  NOHALT_TRY(auto process, Process::open(pid));
  NOHALT_TRY(auto lock, TargetLock::acquire(process));
  return Opened{std::move(process), std::move(lock)};
}

std::string refusal(const Opened& target) {
  const auto thread = RemoteThread::borrow(target.process, target.lock);
  return thread ? "" : thread.error().reason;
}

// The child runs on, alone, and ends as it meant to.
void expect_unharmed(Child& child) {
  child.shared().go = 1;
  EXPECT_EQ(child.join(), 0);
}

// Replaces itself with one of the programs that have next to nothing.
std::string refusal_of_program(const char* path) {
  Child child([&](Shared& shared) {
    shared.ready = 1;
    ::execl(path, path, nullptr);
    return 1;
  });
  child.wait_ready();
  const std::string name = path;
  auto process = Process::open(child.pid());
  while (process && process->facts().exe_path != name && child.alive()) {
    ::usleep(1000);
    process = Process::open(child.pid());
  }
  const auto target = open_target(child.pid());
  EXPECT_TRUE(target);
  const std::string reason = refusal(*target);
  EXPECT_TRUE(child.alive());
  return reason;
}

TEST(Refusal, CodeThatCannotLeadThroughASystemCall) {
  EXPECT_EQ(refusal_of_program(TARGET_BARE), "no-gadget");
}

TEST(Refusal, NoMemoryThatIsProvablyUnused) {
  EXPECT_EQ(refusal_of_program(TARGET_BARE_SYSCALLS), "no-scratch-memory");
}

// The answer of a filter to one system call. Where that is to ask, the descriptor
// to be asked through; else 0 if all went well.
int filter_call(long number, std::uint32_t answer) {
  sock_filter rules[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(number), 0, 1),
      BPF_STMT(BPF_RET | BPF_K, answer),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{std::size(rules), rules};
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  const unsigned flags = answer == SECCOMP_RET_USER_NOTIF ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0;
  return static_cast<int>(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program));
}

TEST(Refusal, AKernelThatGivesTheHelperNoDescriptorTable) {
  Child child([](Shared& shared) {
    // As Linux before 5.9 answers.
    if (filter_call(SYS_close_range, SECCOMP_RET_ERRNO | ENOSYS) != 0) return 1;
    return spin(shared);
  });
  child.wait_ready();
  const auto target = open_target(child.pid());
  ASSERT_TRUE(target);
  EXPECT_EQ(refusal(*target), "kernel-too-old");
  EXPECT_EQ(list_threads(child.pid())->size(), 1U);
  expect_unharmed(child);
}

// Lets the child's clone wait for longer than the tool does, then forbids it.
void forbid_late(int listener) {
  seccomp_notif asked{};
  if (::ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &asked) != 0) return;
  std::this_thread::sleep_for(milliseconds(3000));
  seccomp_notif_resp answer{};
  answer.id = asked.id;
  answer.error = -EPERM;
  ::ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
}

TEST(Refusal, AHelperThatDoesNotComeIntoBeing) {
  Child child([](Shared& shared) {
    const int listener = filter_call(SYS_clone, SECCOMP_RET_USER_NOTIF);
    if (listener < 0) return 1;
    shared.other = static_cast<std::uint64_t>(listener);
    return spin(shared);
  });
  child.wait_ready();
  const auto target = open_target(child.pid());
  ASSERT_TRUE(target);
  const UniqueFd listener(static_cast<int>(
      ::syscall(SYS_pidfd_getfd, target->process.pidfd(), child.shared().other.load(), 0)));
  ASSERT_TRUE(listener.valid());
  std::thread supervisor(forbid_late, listener.get());
  EXPECT_EQ(refusal(*target), "helper-did-not-start");
  supervisor.join();
  EXPECT_EQ(list_threads(child.pid())->size(), 1U);
  expect_unharmed(child);
}

TEST(Refusal, ACallThatDoesNotReturnIsGivenUpAndItsHelperEndsByItself) {
  static const timespec long_sleep{8, 0};  // at the same address in the child
  Child child(spin);
  child.wait_ready();
  const auto target = open_target(child.pid());
  ASSERT_TRUE(target);
  auto thread = RemoteThread::borrow(target->process, target->lock);
  ASSERT_TRUE(thread);
  const auto at = reinterpret_cast<std::uint64_t>(&long_sleep);
  EXPECT_EQ(thread->raw_call(SYS_nanosleep, {at, 0, 0, 0, 0, 0}).error().reason, "helper-stuck");
  (void)thread->finish();
  EXPECT_EQ(list_threads(child.pid())->size(), 1U);
  expect_unharmed(child);
}

// What a killed run leaves, in a target with a thread that could be its helper.
TEST(Refusal, AHelperOfAKilledRunThatDoesNotEnd) {
  Child child([](Shared& shared) {
    const std::uint64_t all = ~0ULL;  // the C library would leave out two of its own
    ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, nullptr, sizeof all);
    return spin(shared);
  });
  child.wait_ready();
  const auto target = open_target(child.pid());
  ASSERT_TRUE(target);
  const Memory& memory = target->lock.memory();
  const auto maps = read_maps(child.pid());
  const auto images = Images::read(child.pid(), *maps, memory);
  const auto gadgets = find_gadgets(*images, *maps, memory);
  ASSERT_TRUE(gadgets);
  const auto scratch = find_scratch(*images, *maps, memory, target->process.facts().heap_start);
  ASSERT_TRUE(scratch);
  const auto chain = exit_chain(*gadgets);
  ASSERT_TRUE(memory.write(*scratch, std::as_bytes(std::span(chain))));
  EXPECT_EQ(refusal(*target), "previous-run-ending");
  expect_unharmed(child);
}

// As linux/sched/types.h has it, which cannot be included beside the C library's.
struct SchedulingAttributes {
  std::uint32_t size, policy;
  std::uint64_t flags;
  std::int32_t nice;
  std::uint32_t priority;
  std::uint64_t runtime, deadline, period;
};

// From now on the thread runs for 20 ms of every four seconds.
bool run_seldom() {
  constexpr std::uint32_t kDeadline = 6;
  constexpr std::uint64_t kResetOnFork = 1;
  constexpr std::uint64_t kRun = 20'000'000;
  constexpr std::uint64_t kPeriod = 4'000'000'000;
  SchedulingAttributes wanted{sizeof wanted, kDeadline, kResetOnFork, 0, 0, kRun, kPeriod, kPeriod};
  return ::syscall(SYS_sched_setattr, 0, &wanted, 0) == 0;
}

// Until it has run, and has been waiting for its turn since.
void wait_until_it_waits(Child& child) {
  std::uint64_t seen = 0;
  for (int still = 0; still < 50; ::usleep(2000)) {
    const std::uint64_t now = child.shared().value;
    still = now != 0 && now == seen ? still + 1 : 0;
    seen = now;
  }
}

TEST(Refusal, AThreadThatGetsNoTurnToStop) {
  Child child([](Shared& shared) {
    shared.other = run_seldom() ? 0 : 1;
    return spin(shared);
  });
  child.wait_ready();
  if (child.shared().other != 0) GTEST_SKIP() << "no real-time scheduling is allowed here";
  wait_until_it_waits(child);
  const auto target = open_target(child.pid());
  ASSERT_TRUE(target);
  EXPECT_EQ(refusal(*target), "thread-does-not-stop");
  expect_unharmed(child);
}

}  // namespace
}  // namespace nohalt::target
