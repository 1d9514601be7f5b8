// What must hold while a process is held, after the run, and after the sweep.
#include "tests/e2e/kill/laboratory.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <utility>

namespace nohalt::kill_test {

namespace {

using std::chrono::milliseconds;

// One jump each of the sorts that need no stop, each on a page of its own.
constexpr const char* kPlaces[] = {"long_line", "punned", "evicted"};
constexpr const char* kStoppingPlace = "several";
constexpr const char* kLibraryPlace = "guest";
constexpr const char* kMessage = "{value} {count} {sum}";
// Together: served for longer than from one renewal of the rate to the next.
constexpr const char* kHits = "15";
constexpr const char* kLimit = "100/s";
// A held tracer that may hold a thread of the target must be gone by then; one that
// cannot yet is given two seconds (heartbeat.h).
constexpr milliseconds kTracerHolds{1000};
constexpr milliseconds kTracerLives{5000};
// A held tool's tracer waits five seconds for it to speak again; a tool waits for
// nothing that its watchdog does.
constexpr milliseconds kHeldOther{10000};

std::string make_folder() {
  std::string name = "/tmp/nohalt-kill-XXXXXX";
  return ::mkdtemp(name.data());
}

std::string probe_of(const std::string& command, const std::string& place) {
  return "  - at: " + place + "\n    " +
         (command == "snap" ? "stack: true\n" : "message: \"" + std::string(kMessage) + "\"\n");
}

std::string probes_of(const std::string& command) {
  std::string probes = "probes:\n";
  if (stops_all(command))
    return probes + probe_of(command, command == kStop ? kStoppingPlace : kLibraryPlace) +
           "    allow-stop: 40ms\n";
  for (const char* place : kPlaces) probes += probe_of(command, place);
  return probes;
}

}  // namespace

Laboratory::Laboratory(std::string tool, std::string command, const std::string& spinner)
    : folder_(make_folder()),
      tool_(std::move(tool)),
      command_(std::move(command)),
      target_(spinner, folder_) {
  std::ofstream(folder_ + "/probes.yaml") << probes_of(command_);
  ::setenv("NOHALT_AUDIT", (folder_ + "/audit.jsonl").c_str(), 1);
  ::setenv("XDG_STATE_HOME", folder_.c_str(), 1);
}

Laboratory::~Laboratory() { std::filesystem::remove_all(folder_); }

// What holds for a process that is held for ever must be shown before all are
// ended.
bool Laboratory::held_enough(Role role, bool patient, Clock::time_point since,
                             std::string& wrong) const {
  const auto now = Clock::now();
  if (role == Role::kTool) {
    if (wrong = target_.harm(); !wrong.empty()) return true;
    if (!target_.falls_dormant(since)) wrong = "not dormant two seconds later";
    if (!wrong.empty() || !patient || target_.is_released()) return true;
    if (now > since + kHeldOther) wrong = "not released by the tracer of a held tool";
  } else if (role == Role::kWatchdog) {
    if (now > since + kHeldOther) wrong = "the tool waits for its watchdog";
  } else {
    // The tool goes on with another tracer.
    if (now > since + kTracerHolds) wrong = target_.harm();
    if (now > since + kTracerLives) wrong = "the watchdog does not end a held tracer";
  }
  return !wrong.empty();
}

// As often as it asks for: threads that get no turn while it waits for them may
// still be inside.
bool Laboratory::sweep() const {
  constexpr int kTries = 5;
  for (int tries = 0; tries < kTries; ++tries) {
    if (sweep_once()) return true;
    if (!asks_for_a_later_sweep()) return false;
  }
  return false;
}

bool Laboratory::asks_for_a_later_sweep() const {
  return said().find("a thread may still be inside it") != std::string::npos;
}

bool Laboratory::stops_too_slowly() const {
  const std::string text = said();
  return stops_all(command_) && (text.find("come to a stop in time") != std::string::npos ||
                                 text.find("takes longer than is allowed") != std::string::npos);
}

bool Laboratory::sweep_once() const {
  const pid_t pid = ::fork();
  if (pid == 0) {
    if (std::freopen((folder_ + "/swept").c_str(), "w", stdout) != nullptr)
      ::dup2(STDOUT_FILENO, STDERR_FILENO);
    ::execl(tool_.c_str(), "nohalt", "sweep", "-p", target_.pid().c_str(), nullptr);
    ::_exit(127);
  }
  put_first(pid);
  int status = 0;
  ::waitpid(pid, &status, 0);
  return status == 0;
}

std::string Laboratory::wrong_afterwards(const Outcome& outcome) const {
  std::string wrong;
  if (wrong = target_.harm(); !wrong.empty()) return wrong;
  if (outcome.acted && !target_.falls_dormant(outcome.acted_at)) return "not dormant";
  if (!sweep()) return "the sweep failed";
  if (wrong = target_.harm(); !wrong.empty()) return "after the sweep: " + wrong;
  if (wrong = target_.difference(); !wrong.empty()) return "not as before: " + wrong;
  return "";
}

std::string Laboratory::attempt(const Plan& plan, bool patient, Outcome& outcome) {
  TracedTool traced;
  std::string wrong;
  std::filesystem::remove(folder_ + "/swept");
  outcome = traced.run({tool_, stops_all(command_) ? "log" : command_, "-p", target_.pid(), "-f",
                        folder_ + "/probes.yaml", "--hits", kHits, "--limit", kLimit, "--cpu",
                        "100%", "--format", "json"},
                       folder_ + "/said", plan, [&](Clock::time_point since) {
                         return held_enough(plan.role, patient, since, wrong);
                       });
  if (outcome.timed_out) return "the tool's processes do not end";
  if (!wrong.empty()) return "while held: " + wrong;
  const bool tool_ends = plan.role != Role::kTool || !outcome.acted;
  // Threads that got no turn while the tool waited for them are the machine's doing.
  if (tool_ends && outcome.tool_status != 0 && !asks_for_a_later_sweep() && !stops_too_slowly())
    return "the tool ended with status " + std::to_string(outcome.tool_status);
  return wrong_afterwards(outcome);
}

}  // namespace nohalt::kill_test
