// Ends, or holds still, one of the tool's processes at each of its system calls
// while it places three probes in a program that runs hot, serves them for a
// moment and removes them; and shows each time that the program came to no harm,
// that the probes fell dormant within two seconds, and that one sweep leaves the
// program as it was.
//
//   kill_harness NOHALT SPINNER tool|tracer|watchdog kill|hold SECONDS
//
// A run in which nothing is done tells which calls there are. The first of each
// sort of call (traced_tool.h) come first, then the others, in orders that spread
// evenly, until the time is over; with NOHALT_LONG set, until all were met. The tool's
// calls count from its first write into the target to the end of its last tracer:
// before and after them it only reads, and writes its own files.
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "tests/e2e/kill/hot_target.h"
#include "tests/e2e/kill/traced_tool.h"

namespace nohalt::kill_test {

namespace {

using std::chrono::milliseconds;

// One jump each of the three sorts, each on a page of its own.
constexpr const char* kProbes = R"(probes:
  - at: long_line
    message: "{value} {count} {sum}"
  - at: punned
    message: "{value} {count} {sum}"
  - at: evicted
    message: "{value} {count} {sum}"
)";
constexpr const char* kHits = "30";
constexpr const char* kLimit = "200/s";
// A held tracer must be gone by then, with all that it held.
constexpr milliseconds kHeldTracer{1000};
// A held tool's tracer waits five seconds for it to speak again; a tool waits for
// nothing that its watchdog does.
constexpr milliseconds kHeldOther{10000};

class Laboratory {
 public:
  Laboratory(std::string tool, const std::string& spinner)
      : folder_(make_folder()), tool_(std::move(tool)), target_(spinner, folder_) {
    std::ofstream(folder_ + "/probes.yaml") << kProbes;
    ::setenv("NOHALT_AUDIT", (folder_ + "/audit.jsonl").c_str(), 1);
    ::setenv("XDG_STATE_HOME", folder_.c_str(), 1);
  }
  Laboratory(const Laboratory&) = delete;
  Laboratory& operator=(const Laboratory&) = delete;
  ~Laboratory() { std::filesystem::remove_all(folder_); }

  // One run of the tool; what went wrong, or nothing.
  std::string attempt(const Plan& plan, Outcome& outcome);

  // What the tool, or the sweep, has said.
  [[nodiscard]] std::string said() const {
    return read_all(folder_ + "/said") + read_all(folder_ + "/swept");
  }

  // Whether to hold a tool until its tracer has had enough of its silence.
  bool patient = false;

 private:
  static std::string make_folder() {
    std::string name = "/tmp/nohalt-kill-XXXXXX";
    return ::mkdtemp(name.data());
  }
  [[nodiscard]] bool held_enough(Role role, Clock::time_point since, std::string& wrong) const;
  [[nodiscard]] bool sweep() const;

  std::string folder_;
  std::string tool_;
  HotTarget target_;
};

// What holds for a process that is held for ever must be shown before all are
// ended.
bool Laboratory::held_enough(Role role, Clock::time_point since, std::string& wrong) const {
  if (role == Role::kTool) {
    if (wrong = target_.harm(); !wrong.empty()) return true;
    if (!target_.falls_dormant(since)) wrong = "not dormant two seconds later";
    if (!wrong.empty() || !patient || target_.is_released()) return true;
    if (Clock::now() < since + kHeldOther) return false;
    wrong = "not released by the tracer of a held tool";
    return true;
  }
  if (role == Role::kWatchdog) {
    if (Clock::now() < since + kHeldOther) return false;
    wrong = "the tool waits for its watchdog";
    return true;
  }
  // The tool goes on with another tracer.
  if (Clock::now() >= since + kHeldTracer) wrong = target_.harm();
  return !wrong.empty();
}

bool Laboratory::sweep() const {
  const pid_t pid = ::fork();
  if (pid == 0) {
    if (std::freopen((folder_ + "/swept").c_str(), "w", stdout) != nullptr)
      ::dup2(STDOUT_FILENO, STDERR_FILENO);
    ::setpriority(PRIO_PROCESS, 0, -20);
    ::execl(tool_.c_str(), "nohalt", "sweep", "-p", target_.pid().c_str(), nullptr);
    ::_exit(127);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  return status == 0;
}

std::string Laboratory::attempt(const Plan& plan, Outcome& outcome) {
  TracedTool traced;
  std::string wrong;
  std::filesystem::remove(folder_ + "/swept");
  outcome = traced.run({tool_, "log", "-p", target_.pid(), "-f", folder_ + "/probes.yaml", "--hits",
                        kHits, "--limit", kLimit, "--cpu", "100%", "--format", "json"},
                       folder_ + "/said", plan, [&](Clock::time_point since) {
                         return held_enough(plan.role, since, wrong);
                       });
  if (outcome.timed_out) return "the tool's processes do not end";
  if (!wrong.empty()) return "while held: " + wrong;
  const bool tool_ends = plan.role != Role::kTool || !outcome.acted;
  if (tool_ends && outcome.tool_status != 0)
    return "the tool ended with status " + std::to_string(outcome.tool_status);
  if (wrong = target_.harm(); !wrong.empty()) return wrong;
  if (outcome.acted && !target_.falls_dormant(outcome.acted_at)) return "not dormant";
  if (!sweep()) return "the sweep failed";
  if (wrong = target_.harm(); !wrong.empty()) return "after the sweep: " + wrong;
  if (wrong = target_.difference(); !wrong.empty()) return "not as before: " + wrong;
  return "";
}

// 0..count-1 in an order of which every beginning spreads evenly.
std::vector<std::size_t> spread(std::size_t count) {
  std::size_t step = std::max<std::size_t>(1, count * 618 / 1000);
  while (std::gcd(step, count) != 1) ++step;
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < count; ++i) order.push_back(i * step % count);
  return order;
}

// Those by which the run touches the target.
std::vector<Call> touching(const std::vector<Call>& calls, Role role) {
  if (role != Role::kTool) return calls;
  const auto writes = [](const Call& call) { return call.number == SYS_pwrite64; };
  const auto begin = std::find_if(calls.begin(), calls.end(), writes);
  const auto end = std::find_if(begin, calls.end(),
                                [&](const Call& call) { return call.phase == calls.back().phase; });
  return {begin, end};
}

struct Point {
  Call call;
  unsigned nth = 0;
};

// Calls that only look, or concern the caller alone, leave the target as the call
// before them did: all of a phase are one sort.
bool only_looks(long number) {
  constexpr long kLooks[] = {
      SYS_read,       SYS_open,       SYS_openat,    SYS_close,          SYS_fstat,
      SYS_newfstatat, SYS_lseek,      SYS_pread64,   SYS_access,         SYS_readlink,
      SYS_readlinkat, SYS_getdents64, SYS_mmap,      SYS_munmap,         SYS_mprotect,
      SYS_brk,        SYS_sysinfo,    SYS_getpid,    SYS_rt_sigprocmask, SYS_clock_gettime,
      SYS_madvise,    SYS_mremap,     SYS_getrandom, SYS_rt_sigaction,   SYS_prlimit64};
  return std::ranges::find(kLooks, number) != std::end(kLooks);
}

// The calls in the order in which they are to be met; the first `sorts` of them
// are each the first of its sort.
std::vector<Point> points_of(const std::vector<Call>& calls, std::size_t& sorts) {
  std::map<Call, unsigned> met;
  std::set<Call> known;
  std::vector<Point> first;
  std::vector<Point> more;
  for (const Call& call : calls) {
    Call sort = call;
    if (only_looks(call.number)) sort.number = SYS_read;
    const unsigned nth = ++met[call];
    (known.insert(sort).second ? first : more).push_back({call, nth});
  }
  sorts = first.size();
  for (const std::size_t i : spread(more.size())) first.push_back(more[i]);
  return first;
}

int run(const std::string& tool, const std::string& spinner, Plan plan, int seconds) {
  Laboratory laboratory(tool, spinner);
  const bool all = std::getenv("NOHALT_LONG") != nullptr;
  laboratory.patient = all;
  Outcome whole;
  if (const auto wrong = laboratory.attempt({plan.role, Action::kNone, {}, 0}, whole);
      !wrong.empty()) {
    std::printf("undisturbed: %s\n%s\n", wrong.c_str(), laboratory.said().c_str());
    return 1;
  }
  std::size_t sorts = 0;
  const std::vector<Point> points = points_of(touching(whole.calls, plan.role), sorts);
  const auto end = Clock::now() + std::chrono::seconds(seconds);
  std::size_t tried = 0;
  std::size_t missed = 0;
  int failures = 0;
  for (const Point& point : points) {
    if (!all && Clock::now() > end) break;
    plan.call = point.call;
    plan.nth = point.nth;
    Outcome outcome;
    const std::string wrong = laboratory.attempt(plan, outcome);
    ++tried;
    if (!outcome.acted) ++missed;
    if (wrong.empty()) continue;
    ++failures;
    std::printf("phase %u, call %ld (%lx), the %u.: %s\n%s\n", point.call.phase, point.call.number,
                point.call.request, point.nth, wrong.c_str(), laboratory.said().c_str());
    std::fflush(stdout);
  }
  std::printf("%zu of %zu system calls tried, of %zu sorts; %zu did not come again; %d failed\n",
              tried, points.size(), sorts, missed, failures);
  return failures == 0 ? 0 : 1;
}

}  // namespace

}  // namespace nohalt::kill_test

int main(int argc, char** argv) {
  using namespace nohalt::kill_test;
  if (argc != 6) return 2;
  // Each stop of a traced process waits for this one.
  const sched_param lowest{::sched_get_priority_min(SCHED_RR)};
  ::sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &lowest);
  const std::string role = argv[3];
  Plan plan;
  plan.role = role == "tool" ? Role::kTool : role == "tracer" ? Role::kTracer : Role::kWatchdog;
  plan.action = argv[4] == std::string("kill") ? Action::kKill : Action::kHold;
  return run(argv[1], argv[2], plan, std::atoi(argv[5]));
}
