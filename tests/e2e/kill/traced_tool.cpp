// A small strace(1) that acts instead of printing.
#include "tests/e2e/kill/traced_tool.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>

namespace nohalt::kill_test {

namespace {

constexpr std::chrono::seconds kPatience{60};
constexpr long kOptions = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACECLONE |
                          PTRACE_O_TRACEEXEC | PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL;

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

// From here on the kernel stops the caller, and all that it starts, at such calls
// and no others: some thousands of stops in each run are saved.
void be_stopped_at(const Call& call) {
  constexpr auto kRequest = static_cast<unsigned>(offsetof(seccomp_data, args));
  const auto number = static_cast<unsigned>(call.number);
  const auto request = static_cast<unsigned>(call.request);
  const auto any_request = static_cast<unsigned char>(call.number == SYS_ptrace ? 0 : 2);
  sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 4),
      BPF_JUMP(BPF_JMP | BPF_JA, any_request, 0, 0),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kRequest),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, request, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{std::size(filter), filter};
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

[[noreturn]] void become(const std::vector<std::string>& command, const std::string& output) {
  std::vector<char*> arguments;
  for (const auto& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  const int out = ::open(output.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  ::dup2(out, STDOUT_FILENO);
  ::dup2(out, STDERR_FILENO);
  ::execv(arguments[0], arguments.data());
  ::_exit(127);
}

}  // namespace

void put_first(pid_t pid) { ::setpriority(PRIO_PROCESS, static_cast<id_t>(pid), -20); }

void TracedTool::start(const std::vector<std::string>& command, const std::string& output) {
  int ends[2];
  if (::pipe(ends) != 0) return;
  tool_ = ::fork();
  if (tool_ == 0) {
    char go = 0;
    ::close(ends[1]);
    const bool told = ::read(ends[0], &go, 1) == 1;
    ::close(ends[0]);
    if (told && plan_.action != Action::kNone) be_stopped_at(plan_.call);
    if (told) become(command, output);
    ::_exit(127);
  }
  put_first(tool_);
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

// Only to learn of the calls of the role are its processes stopped at each of them.
void TracedTool::resume(pid_t pid, int signal) {
  const bool at_each = plan_.action == Action::kNone && tracees_[pid].role == plan_.role;
  trace(at_each ? PTRACE_SYSCALL : PTRACE_CONT, pid, signal);
}

void TracedTool::on_call(pid_t pid, const Tracee& tracee) {
  if (tracee.role != plan_.role) return resume(pid, 0);
  user_regs_struct registers{};
  ::ptrace(PTRACE_GETREGS, pid, nullptr, &registers);
  const unsigned phase = tracee.role == Role::kTool ? phase_ : tracee.phase;
  Call call{phase, static_cast<long>(registers.orig_rax), 0};
  if (call.number == SYS_ptrace) call.request = registers.rdi;
  outcome_.calls.push_back(call);
  const bool chosen = ++met_[call] == plan_.nth && call == plan_.call;
  if (!chosen || plan_.action == Action::kNone) return resume(pid, 0);
  outcome_.acted = true;
  outcome_.acted_at = Clock::now();
  if (plan_.action == Action::kHold) held_ = pid;
  if (plan_.action == Action::kKill) ::kill(pid, SIGKILL);
}

// A session starts a tracer, then its watchdog.
void TracedTool::on_birth(pid_t pid) {
  unsigned long child = 0;
  // It fails where the parent was killed meanwhile.
  if (::ptrace(PTRACE_GETEVENTMSG, pid, nullptr, &child) != 0 || child == 0) return;
  const auto born = static_cast<pid_t>(child);
  const bool is_tracer = forks_++ % 2 == 0;
  if (is_tracer) ++phase_;
  tracees_[born].role = is_tracer ? Role::kTracer : Role::kWatchdog;
  tracees_[born].phase = phase_;
  if (early_.erase(born) != 0) resume(born, 0);
}

void TracedTool::handle(pid_t pid, int status) {
  // A child may report before its parent reports its birth: it waits for that.
  if (!tracees_.contains(pid)) {
    early_.insert(pid);
    return;
  }
  if (WIFEXITED(status) || WIFSIGNALED(status)) {
    if (pid == tool_) outcome_.tool_status = status;
    if (pid == held_) held_ = 0;
    if (tracees_[pid].role == Role::kTracer) ++phase_;
    tracees_.erase(pid);
    return;
  }
  const int event = status >> 16;
  Tracee& tracee = tracees_[pid];
  if (event == PTRACE_EVENT_SECCOMP) return on_call(pid, tracee);
  if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
    tracee.in_call = !tracee.in_call;
    return tracee.in_call ? on_call(pid, tracee) : resume(pid, 0);
  }
  if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_CLONE) on_birth(pid);
  if (event == PTRACE_EVENT_EXEC) tracee.in_call = plan_.role == Role::kTool;
  resume(pid, event == 0 ? WSTOPSIG(status) : 0);
}

void TracedTool::kill_all() {
  for (const auto& [pid, unused] : tracees_) ::kill(pid, SIGKILL);
  for (const pid_t pid : early_) ::kill(pid, SIGKILL);
  held_ = 0;
}

Outcome TracedTool::run(const std::vector<std::string>& command, const std::string& output,
                        const Plan& plan,
                        const std::function<bool(Clock::time_point)>& held_enough) {
  plan_ = plan;
  start(command, output);
  const auto deadline = Clock::now() + kPatience;
  tick_every(kTick);
  while (!tracees_.empty()) {
    int status = 0;
    const pid_t pid = ::waitpid(-1, &status, __WALL);
    if (pid > 0) handle(pid, status);
    outcome_.timed_out = outcome_.timed_out || Clock::now() > deadline;
    if (outcome_.timed_out || (held_ != 0 && held_enough(outcome_.acted_at))) kill_all();
  }
  tick_every(0);
  return outcome_;
}

}  // namespace nohalt::kill_test
