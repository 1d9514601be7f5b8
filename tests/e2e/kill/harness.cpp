// Ends, or holds still, one of the tool's processes at each of its system calls
// while it places three probes in a program that runs hot, serves them for a
// moment and removes them; and shows each time that the program came to no harm,
// that the probes fell dormant within two seconds, and that one sweep leaves the
// program as it was.
//
//   kill_harness NOHALT SPINNER log|snap|stop|library tool|tracer|watchdog kill|hold SECONDS
//
// Runs in which nothing is done tell which calls there are, and points.h which of
// them come first. Several workers take them in turn, each with a program of its
// own, because most of an attempt is waiting for a turn among the threads of all of
// them. Every sort of call is met, then others until the time is over; with
// NOHALT_LONG set, until all were met or SIGTERM comes. Either way the last line
// tells how many were.
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <optional>
#include <string>
#include <vector>

#include "tests/e2e/kill/laboratory.h"
#include "tests/e2e/kill/points.h"

namespace nohalt::kill_test {

namespace {

constexpr int kWorkers = 4;
// Where all threads have to stand at once, one worker's are enough.
constexpr int kWorkersThatStop = 1;
// Calls that not every run makes show in several.
constexpr int kUndisturbedRuns = 3;
// A sort of call that does not come in one run may come in another.
constexpr int kTriesOfSort = 3;
constexpr std::chrono::seconds kTellEvery{60};

// What all workers share, in memory that they inherit.
struct Progress {
  std::atomic<std::size_t> next;
  std::atomic<std::size_t> sorts;
  std::atomic<std::size_t> changing;
  std::atomic<std::size_t> met;
  std::atomic<std::size_t> missed;
  std::atomic<std::size_t> failures;
  std::atomic<bool> over;
};

Progress* shared = nullptr;

struct Job {
  std::string tool;
  std::string command;
  std::string spinner;
  Plan plan;
  bool all = false;
  Clock::time_point end;
};

// Each stop of a traced process waits for the one that traces it. What it starts
// does not inherit this.
void go_first() {
  const sched_param lowest{::sched_get_priority_min(SCHED_RR)};
  ::sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &lowest);
}

void report(const Point& point, const std::string& wrong, const std::string& said) {
  std::printf("phase %u, call %ld (%lx), the %u.: %s\n%s\n", point.call.phase, point.call.number,
              point.call.request, point.nth, wrong.c_str(), said.c_str());
  std::fflush(stdout);
}

// False when something went wrong.
bool meet(Laboratory& laboratory, Plan plan, const Point& point, bool is_sort) {
  plan.call = point.call;
  plan.nth = point.nth;
  Outcome outcome;
  for (int tries = is_sort ? kTriesOfSort : 1; tries > 0 && !outcome.acted; --tries) {
    const std::string wrong = laboratory.attempt(plan, point.changes, outcome);
    if (wrong.empty()) continue;
    ++shared->failures;
    report(point, wrong, laboratory.said());
    return false;
  }
  if (!outcome.acted) {
    ++shared->missed;
    if (is_sort && point.usual) ++shared->failures;
    if (is_sort) report(point, "did not come again", "");
    return true;
  }
  ++shared->met;
  if (is_sort) ++shared->sorts;
  if (point.changes) ++shared->changing;
  return true;
}

[[noreturn]] void work(const Job& job, const Points& points) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::setpgid(0, 0);  // a signal that cuts the run short is for its parent alone
  go_first();
  std::optional<Laboratory> laboratory;
  for (;;) {
    const std::size_t i = shared->next++;
    const bool is_sort = i < points.sorts;
    if (i >= points.list.size() || shared->over) break;
    if (!is_sort && !job.all && Clock::now() > job.end) break;
    if (!laboratory) laboratory.emplace(job.tool, job.command, job.spinner);
    // What one failure left must not be taken for another.
    if (!meet(*laboratory, job.plan, points.list[i], is_sort)) laboratory.reset();
  }
  laboratory.reset();
  ::_exit(0);
}

void tell(const Points& points) {
  std::printf(
      "met %zu of %zu sorts, %zu of %zu calls that change something, %zu of %zu calls; "
      "%zu did not come again; %zu failed\n",
      shared->sorts.load(), points.sorts, shared->changing.load(), points.changing,
      shared->met.load(), points.list.size(), shared->missed.load(), shared->failures.load());
  std::fflush(stdout);
}

bool undisturbed(const Job& job, std::vector<std::vector<Call>>& runs) {
  Laboratory laboratory(job.tool, job.command, job.spinner);
  for (int i = 0; i < kUndisturbedRuns; ++i) {
    Outcome outcome;
    const auto wrong = laboratory.attempt({job.plan.role, Action::kNone, {}, 0}, false, outcome);
    if (!wrong.empty()) {
      std::printf("undisturbed: %s\n%s\n", wrong.c_str(), laboratory.said().c_str());
      return false;
    }
    runs.push_back(std::move(outcome.calls));
  }
  return true;
}

void wait_for_workers(int workers, const Points& points) {
  auto told = Clock::now();
  while (workers > 0) {
    int status = 0;
    const pid_t ended = ::waitpid(-1, &status, WNOHANG);
    if (ended > 0) --workers;
    if (ended > 0 && status != 0) ++shared->failures;
    if (ended == 0) ::usleep(100'000);
    if (Clock::now() < told + kTellEvery) continue;
    told = Clock::now();
    tell(points);
  }
}

int run(Job job, int seconds) {
  std::vector<std::vector<Call>> runs;
  if (!undisturbed(job, runs)) return 1;
  const Points points = points_of(runs, job.plan.role);
  job.end = Clock::now() + std::chrono::seconds(seconds);
  const int workers = stops_all(job.command) ? kWorkersThatStop : kWorkers;
  for (int i = 0; i < workers; ++i)
    if (::fork() == 0) work(job, points);
  wait_for_workers(workers, points);
  tell(points);
  return shared->failures == 0 ? 0 : 1;
}

}  // namespace

}  // namespace nohalt::kill_test

int main(int argc, char** argv) {
  using namespace nohalt::kill_test;
  if (argc != 7) return 2;
  void* page =
      ::mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return 1;
  shared = new (page) Progress{};
  struct sigaction action {};
  action.sa_handler = [](int) { shared->over = true; };
  ::sigaction(SIGTERM, &action, nullptr);
  ::sigaction(SIGINT, &action, nullptr);
  go_first();
  Job job{argv[1], argv[3], argv[2], {}, std::getenv("NOHALT_LONG") != nullptr, {}};
  const std::string role = argv[4];
  job.plan.role = role == "tool" ? Role::kTool : role == "tracer" ? Role::kTracer : Role::kWatchdog;
  job.plan.action = argv[5] == std::string("kill") ? Action::kKill : Action::kHold;
  return run(job, std::atoi(argv[6]));
}
