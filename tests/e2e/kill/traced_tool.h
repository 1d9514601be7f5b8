// Runs the tool with every process it starts under ptrace, notes each system call
// of one of them, and ends or holds that one at a chosen call.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace nohalt::kill_test {

using Clock = std::chrono::steady_clock;

// Of the three processes of a run: probes/target/watchdog.h.
enum class Role { kTool, kTracer, kWatchdog };
enum class Action {
  kNone,
  kKill,  // SIGKILL before the call is made
  kHold,  // left there, as SIGSTOP or a debugger would
};

// A system call by what it is for, which is the same in each run although the
// number of calls is not.
struct Call {
  unsigned phase = 0;  // tracers that were born and that ended before: 1 arms, 3 disarms
  long number = -1;
  std::uint64_t request = 0;  // of ptrace

  friend auto operator<=>(const Call&, const Call&) = default;
};

struct Plan {
  Role role = Role::kTool;
  Action action = Action::kNone;
  Call call;
  unsigned nth = 0;  // from 1: of such calls
};

struct Outcome {
  std::vector<Call> calls;  // that the role made, in order
  bool acted = false;
  Clock::time_point acted_at;
  bool timed_out = false;
  int tool_status = 0;  // as from waitpid
};

// Puts a new child before the target's threads, which would make it slow.
void put_first(pid_t pid);

class TracedTool {
 public:
  // Runs until all of its processes have ended. While the process is held it is
  // asked now and then whether that is enough; then all of them are killed.
  Outcome run(const std::vector<std::string>& command, const std::string& output, const Plan& plan,
              const std::function<bool(Clock::time_point held_at)>& held_enough);

 private:
  struct Tracee {
    Role role = Role::kTool;
    bool in_call = false;
    unsigned phase = 0;  // of its birth: which of two children ends first may differ
  };
  void start(const std::vector<std::string>& command, const std::string& output);
  void handle(pid_t pid, int status);
  void on_call(pid_t pid, const Tracee& tracee);
  void on_birth(pid_t pid);
  void resume(pid_t pid, int signal);
  void kill_all();

  Plan plan_;
  Outcome outcome_;
  std::map<pid_t, Tracee> tracees_;
  std::set<pid_t> early_;
  std::map<Call, unsigned> met_;
  pid_t tool_ = 0;
  pid_t held_ = 0;
  unsigned forks_ = 0;
  unsigned phase_ = 0;
};

}  // namespace nohalt::kill_test
