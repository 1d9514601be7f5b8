// ptrace(2): PTRACE_SEIZE and PTRACE_INTERRUPT; proc_pid_status(5).
#include "probes/target/stopped_threads.h"

#include <fcntl.h>
#include <sys/ptrace.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <string>

#include "probes/target/restart.h"
#include "probes/target/target_gone.h"
#include "probes/target/threads.h"

namespace nohalt::target {

namespace {

constexpr std::uint64_t kLongestWait = kMillisecond;
// While many are still to come this process leaves its processor to them.
constexpr std::size_t kMany = 16;
constexpr long kNap = 200'000;  // ns
// For those who did not come in time; the others have been let go by then.
constexpr std::uint64_t kLatePatience = 300 * kMillisecond;
constexpr std::uint64_t kToLetOneGo = 4'000;  // ns, as measured

}  // namespace

Result<StoppedThreads> StoppedThreads::open(pid_t pid, pid_t helper, Tracees& tracees,
                                            HoldReport& holds) {
  const std::string path = "/proc/" + std::to_string(pid) + "/status";
  UniqueFd status(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!status.valid()) return fail_on_target("open", path, errno);
  return StoppedThreads(pid, helper, tracees, holds, std::move(status));
}

Status StoppedThreads::list() {
  threads_.clear();
  return list_new();
}

Status StoppedThreads::list_new() {
  NOHALT_TRY(const auto tids, list_threads(pid_));
  for (const pid_t tid : tids)
    if (tid != helper_ && std::ranges::find(threads_, tid, &Thread::tid) == threads_.end())
      threads_.push_back({.tid = tid});
  return {};
}

void StoppedThreads::enter(HoldPhase phase) {
  Heartbeat& heartbeat = tracees_->heartbeat();
  heartbeat.beat.store(monotonic_ns(), std::memory_order_release);
  heartbeat.phase.store(phase, std::memory_order_release);
}

// From the first request on, since a thread may stop before the last one is asked.
void StoppedThreads::hold_begins() {
  since_ = monotonic_ns();
  Heartbeat& heartbeat = tracees_->heartbeat();
  heartbeat.held_threads.store(static_cast<std::uint32_t>(threads_.size()),
                               std::memory_order_release);
  heartbeat.held_since.store(since_, std::memory_order_release);
  heartbeat.detour_since.store(since_, std::memory_order_release);
  enter(HoldPhase::kHolding);
}

// With whom it fails has ended; anything else is no reason to go on.
Status StoppedThreads::seize() {
  for (Thread& thread : threads_) {
    if (thread.state != Thread::kListed) continue;
    tracees_->heartbeat().beat.store(monotonic_ns(), std::memory_order_release);
    const Status seized = tracees_->seize(thread.tid);
    if (!seized && thread_lives(pid_, thread.tid)) return seized;
    thread.state = seized ? Thread::kSeized : Thread::kGone;
  }
  return {};
}

void StoppedThreads::ask() {
  for (Thread& thread : threads_) {
    if (thread.state != Thread::kSeized) continue;
    thread.ran_at = monotonic_ns();
    thread.state = Thread::kAsked;
    // One that has ended meanwhile says so when its stop is waited for.
    (void)tracees_->request(PTRACE_INTERRUPT, thread.tid);
  }
}

Status StoppedThreads::take(Thread& thread, const TraceEvent& event) {
  if (event.ended()) {
    thread.state = Thread::kGone;
    return {};
  }
  if (event.group_stop()) {
    thread.state = Thread::kStands;
    return fail(ErrorCode::kRefused, "stopped", "The target is being stopped by a signal.",
                "Continue it (SIGCONT) and try again.");
  }
  if (!event.event_stop())
    return tracees_->request(PTRACE_CONT, thread.tid, 0,
                             static_cast<std::uint64_t>(event.signal()));
  thread.state = Thread::kStands;
  NOHALT_TRY(const auto stopped, tracees_->registers(thread.tid));
  thread.registers = repair_after_stop(stopped);
  if (thread.registers.rax == stopped.rax) return {};
  return tracees_->set_registers(thread.tid, thread.registers);
}

Status StoppedThreads::collect(std::uint64_t deadline) {
  for (;;) {
    bool came = false;
    std::size_t left = 0;
    for (Thread& thread : threads_) {
      if (thread.state != Thread::kAsked) continue;
      const std::uint64_t now = monotonic_ns();
      if (const auto event = tracees_->poll(thread.tid)) {
        came = true;
        NOHALT_CHECK(take(thread, *event));
      } else {
        thread.ran_at = now;
      }
      if (thread.state == Thread::kAsked) ++left;
    }
    if (left == 0) return {};
    if (monotonic_ns() >= deadline)
      return fail(ErrorCode::kRefused, "thread-does-not-stop",
                  "A thread of the target does not come to a stop in time.",
                  "It may sleep uninterruptibly or get no processor time: try again.");
    const timespec nap{0, kNap};
    if (left > kMany)
      ::nanosleep(&nap, nullptr);
    else if (!came)
      tracees_->wait_for_child(std::min(deadline, monotonic_ns() + kLongestWait));
  }
}

// A main thread that has ended is counted until all have.
Result<bool> StoppedThreads::is_everybody() {
  std::array<char, 4096> text{};
  const ssize_t n = ::pread(status_.get(), text.data(), text.size(), 0);
  if (n <= 0) return target_gone();
  const auto field = status_field({text.data(), static_cast<std::size_t>(n)}, "Threads");
  std::size_t count = 0;
  (void)std::from_chars(field.data(), field.data() + field.size(), count);
  const auto known = std::ranges::count_if(threads_, [this](const Thread& thread) {
    return thread.state == Thread::kStands || (thread.tid == pid_ && thread.state == Thread::kGone);
  });
  constexpr std::size_t kHelper = 1;
  return count == static_cast<std::size_t>(known) + kHelper;
}

std::uint64_t StoppedThreads::release_time() const { return kToLetOneGo * threads_.size(); }

Status StoppedThreads::stop(std::uint64_t longest) {
  enter(HoldPhase::kSeizing);
  const Status seized = seize();
  hold_begins();
  NOHALT_CHECK(seized);
  const std::uint64_t deadline = since_ + longest - std::min(longest / 2, release_time());
  for (;;) {
    ask();
    NOHALT_CHECK(collect(deadline));
    NOHALT_TRY(const bool everybody, is_everybody());
    if (everybody) return {};
    if (monotonic_ns() >= deadline)
      return fail(ErrorCode::kRefused, "threads-change",
                  "The process makes threads faster than they can be stopped.",
                  "Try again when it is less busy.");
    NOHALT_CHECK(list_new());
    NOHALT_CHECK(seize());
  }
}

void StoppedThreads::detach() {
  for (Thread& thread : threads_) {
    if (thread.state == Thread::kSeized) tracees_->leave_running(thread.tid);
    if (thread.state != Thread::kStands) continue;
    (void)tracees_->request(PTRACE_DETACH, thread.tid);
    holds_->add(monotonic_ns() - thread.ran_at);
    thread.state = Thread::kGone;
  }
}

void StoppedThreads::let_go() {
  detach();
  enter(HoldPhase::kSeizing);
  const std::uint64_t deadline = monotonic_ns() + kLatePatience;
  while (std::ranges::find(threads_, Thread::kAsked, &Thread::state) != threads_.end() &&
         monotonic_ns() < deadline) {
    (void)collect(monotonic_ns() + kLongestWait);
    detach();
    enter(HoldPhase::kSeizing);
  }
  for (const Thread& thread : threads_)
    if (thread.state == Thread::kAsked) tracees_->abandon(thread.tid);
  enter(HoldPhase::kHelper);
  tracees_->heartbeat().detour_since.store(0, std::memory_order_release);
  tracees_->heartbeat().held_threads.store(0, std::memory_order_release);
}

}  // namespace nohalt::target
