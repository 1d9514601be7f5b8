// Runs the driver with every process it starts under ptrace, and ends or holds
// one of them at a chosen system call.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace nohalt::kill_test {

enum class Role { kTool, kTracer, kWatchdog };
enum class Action {
  kNone,
  kKill,  // SIGKILL before the call is made
  kHold,  // left there, as SIGSTOP or a debugger would; all are killed in the end
};

struct Plan {
  Role role = Role::kTool;
  Action action = Action::kNone;
  std::uint64_t at = 0;  // the role's how-manieth system call, from 1
};

struct Outcome {
  std::uint64_t calls = 0;  // system calls that the role made
  long acted_on = -1;       // the number of the call at which it was acted
  bool timed_out = false;
  int tool_status = 0;  // as from waitpid
};

class TracedDriver {
 public:
  // `while_held` is called once, after the process was held for longer than
  // the watchdog allows.
  Outcome run(const std::vector<std::string>& command, const Plan& plan,
              std::string (*while_held)(void*), void* argument);
  // What `while_held` answered.
  [[nodiscard]] const std::string& harm_while_held() const { return harm_; }

 private:
  struct Tracee {
    Role role = Role::kTool;
    bool in_call = false;
  };
  void start(const std::vector<std::string>& command);
  void handle(pid_t pid, int status);
  void on_call(pid_t pid, Tracee& tracee);
  void resume(pid_t pid, int signal);

  Plan plan_;
  Outcome outcome_;
  std::map<pid_t, Tracee> tracees_;
  std::set<pid_t> early_;
  pid_t tool_ = 0;
  pid_t held_ = 0;
  unsigned forks_ = 0;
  std::string harm_;
};

}  // namespace nohalt::kill_test
