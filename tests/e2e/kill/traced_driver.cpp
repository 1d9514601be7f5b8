// A small strace(1) that acts instead of printing.
#include "tests/e2e/kill/traced_driver.h"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>

namespace nohalt::kill_test {

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds kPatience{30};
constexpr std::chrono::milliseconds kHoldTime{1500};
constexpr long kOptions = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACECLONE |
                          PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;

long trace(int request, pid_t pid, long data) {
  return ::ptrace(static_cast<__ptrace_request>(request), pid, nullptr,
                  reinterpret_cast<void*>(data));
}

// Interrupts a blocking wait now and then, so that deadlines are seen.
constexpr long kTick = 20'000;  // us
void tick_every(long microseconds) {
  struct sigaction action{};
  action.sa_handler = [](int) {};
  ::sigaction(SIGALRM, &action, nullptr);
  const itimerval timer{{0, microseconds}, {0, microseconds}};
  ::setitimer(ITIMER_REAL, &timer, nullptr);
}

}  // namespace

void TracedDriver::start(const std::vector<std::string>& command) {
  std::vector<char*> arguments;
  for (const auto& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  int ends[2];
  if (::pipe(ends) != 0) return;
  tool_ = ::fork();
  if (tool_ == 0) {
    char go = 0;
    ::close(ends[1]);
    ::setpriority(PRIO_PROCESS, 0, -20);  // the target's 64 threads would make it slow
    if (::read(ends[0], &go, 1) == 1) ::execv(arguments[0], arguments.data());
    ::_exit(127);
  }
  trace(PTRACE_SEIZE, tool_, kOptions);
  trace(PTRACE_INTERRUPT, tool_, 0);
  int status = 0;
  ::waitpid(tool_, &status, __WALL);
  tracees_[tool_] = {};
  (void)!::write(ends[1], "g", 1);
  ::close(ends[0]);
  ::close(ends[1]);
  trace(PTRACE_CONT, tool_, 0);
}

// Only the processes of the role are stopped at each call; the others run at
// their own speed.
void TracedDriver::resume(pid_t pid, int signal) {
  trace(tracees_[pid].role == plan_.role ? PTRACE_SYSCALL : PTRACE_CONT, pid, signal);
}

void TracedDriver::on_call(pid_t pid, Tracee& tracee) {
  tracee.in_call = !tracee.in_call;
  if (tracee.in_call && tracee.role == plan_.role && ++outcome_.calls == plan_.at &&
      plan_.action != Action::kNone) {
    user_regs_struct registers{};
    ::ptrace(PTRACE_GETREGS, pid, nullptr, &registers);
    outcome_.acted_on = static_cast<long>(registers.orig_rax);
    if (plan_.action == Action::kHold) held_ = pid;
    if (plan_.action == Action::kKill) ::kill(pid, SIGKILL);
    return;
  }
  resume(pid, 0);
}

void TracedDriver::handle(pid_t pid, int status) {
  // A child may report before its parent reports its birth: it waits for that.
  if (!tracees_.contains(pid)) {
    early_.insert(pid);
    return;
  }
  if (WIFEXITED(status) || WIFSIGNALED(status)) {
    if (pid == tool_) outcome_.tool_status = status;
    if (pid == held_) held_ = 0;
    tracees_.erase(pid);
    return;
  }
  const int event = status >> 16;
  if (WSTOPSIG(status) == (SIGTRAP | 0x80)) return on_call(pid, tracees_[pid]);
  if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_CLONE) {
    unsigned long child = 0;
    ::ptrace(PTRACE_GETEVENTMSG, pid, nullptr, &child);
    // A session starts a tracer, then its watchdog.
    const auto born = static_cast<pid_t>(child);
    tracees_[born].role = forks_++ % 2 == 0 ? Role::kTracer : Role::kWatchdog;
    if (early_.erase(born) != 0) resume(born, 0);
  }
  if (event == PTRACE_EVENT_EXEC) tracees_[pid].in_call = plan_.role == Role::kTool;
  resume(pid, event == 0 ? WSTOPSIG(status) : 0);
}

Outcome TracedDriver::run(const std::vector<std::string>& command, const Plan& plan,
                          std::string (*while_held)(void*), void* argument) {
  plan_ = plan;
  start(command);
  const auto deadline = Clock::now() + kPatience;
  Clock::time_point held_at{};
  tick_every(kTick);
  while (!tracees_.empty()) {
    int status = 0;
    const pid_t pid = ::waitpid(-1, &status, __WALL);
    const auto now = Clock::now();
    if (pid > 0) handle(pid, status);
    if (held_ != 0 && held_at == Clock::time_point{}) held_at = now;
    const bool held_long = held_at != Clock::time_point{} && now - held_at > kHoldTime;
    if (held_long) harm_ = while_held(argument);
    outcome_.timed_out = outcome_.timed_out || now > deadline;
    if (held_long || now > deadline) {
      for (const auto& [tracee, unused] : tracees_) ::kill(tracee, SIGKILL);
      held_at = {};
      held_ = 0;
    }
  }
  tick_every(0);
  return outcome_;
}

}  // namespace nohalt::kill_test
