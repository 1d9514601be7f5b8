// A loop over one pidfd. After the fork it makes raw system calls only, because
// the tool may have had other threads.
#include "probes/target/watchdog.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace nohalt::target {

namespace {

constexpr int kLookEvery = 5;  // ms

bool held_too_long(const Heartbeat& heartbeat) {
  const auto phase = heartbeat.phase.load(std::memory_order_acquire);
  const auto since = phase == HoldPhase::kHolding
                         ? heartbeat.held_since.load(std::memory_order_acquire)
                         : heartbeat.beat.load(std::memory_order_acquire);
  const std::uint64_t now = monotonic_ns();
  const std::uint64_t silence = now > since ? now - since : 0;
  switch (phase) {
    case HoldPhase::kNothing:
      return silence > kLongestStart;
    case HoldPhase::kSeizing:
    case HoldPhase::kHolding:
      return silence > kLongestHold;
    case HoldPhase::kHelper:
      return silence > kLongestSilence;
  }
  return false;
}

[[noreturn]] void watch(int tracer, const Heartbeat& heartbeat) {
  ::setsid();
  ::prctl(PR_SET_NAME, "nohalt-watchdog");
  ::mlockall(MCL_CURRENT | MCL_ONFAULT);
  if (tracer > 0) ::close_range(0, static_cast<unsigned>(tracer) - 1, 0);
  ::close_range(static_cast<unsigned>(tracer) + 1, ~0U, 0);
  for (;;) {
    pollfd ended{tracer, POLLIN, 0};
    if (::poll(&ended, 1, kLookEvery) > 0) ::_exit(0);
    if (held_too_long(heartbeat)) ::syscall(SYS_pidfd_send_signal, tracer, SIGKILL, nullptr, 0);
  }
}

}  // namespace

void put_before_others(pid_t thread) {
  const sched_param lowest{::sched_get_priority_min(SCHED_RR)};
  if (::sched_setscheduler(thread, SCHED_RR | SCHED_RESET_ON_FORK, &lowest) != 0)
    ::setpriority(PRIO_PROCESS, static_cast<id_t>(thread), -20);
}

BeforeOthers::BeforeOthers()
    : policy_(::sched_getscheduler(0)), nice_(::getpriority(PRIO_PROCESS, 0)) {
  sched_param before{};
  if (::sched_getparam(0, &before) == 0) priority_ = before.sched_priority;
  put_before_others(0);
}

// Not everyone may take back that children are to start as ordinary threads.
BeforeOthers::~BeforeOthers() {
  if (policy_ < 0) return;
  const sched_param before{priority_};
  if (::sched_setscheduler(0, policy_, &before) != 0)
    ::sched_setscheduler(0, policy_ | SCHED_RESET_ON_FORK, &before);
  ::setpriority(PRIO_PROCESS, 0, nice_);
}

Result<pid_t> start_watchdog(int tracer, const Heartbeat& heartbeat) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t pid = ::fork();
  if (pid == 0) watch(tracer, heartbeat);
  const int error_number = errno;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) return fail_errno("fork", "the watchdog", error_number);
  put_before_others(pid);
  return pid;
}

}  // namespace nohalt::target
