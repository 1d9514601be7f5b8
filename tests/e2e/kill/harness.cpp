// Ends, or holds still, one of the tool's processes at each of its system calls
// while it swaps a page of a program that runs hot, and shows each time that the
// program came to no harm and that a recovery leaves it as it was.
//
//   kill_harness DRIVER SPINNER tool|tracer|watchdog kill|hold SECONDS
//
// Goes through the calls in an order that spreads evenly, until all were met or
// the time is over; with NOHALT_LONG set, until all were met.
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <numeric>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tests/e2e/kill/traced_driver.h"
#include "tests/targets/spinner.h"

namespace nohalt::kill_test {

namespace {

using Clock = std::chrono::steady_clock;
constexpr int kThreads = 64;

std::string read_all(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::set<std::string> list(const std::string& folder) {
  std::set<std::string> names;
  DIR* open = ::opendir(folder.c_str());
  while (const dirent* entry = open != nullptr ? ::readdir(open) : nullptr)
    names.insert(entry->d_name);
  if (open != nullptr) ::closedir(open);
  return names;
}

// What a process must look like again afterwards.
struct Footprint {
  std::string maps;
  std::set<std::string> descriptors;
  std::set<std::string> threads;
  std::string page;

  friend bool operator==(const Footprint&, const Footprint&) = default;
};

class Spinner {
 public:
  explicit Spinner(const std::string& program) {
    const std::string file = "/tmp/nohalt-spinner-" + std::to_string(::getpid());
    pid_ = ::fork();
    if (pid_ == 0) {
      const std::string threads = std::to_string(kThreads);
      ::execl(program.c_str(), program.c_str(), threads.c_str(), file.c_str(), nullptr);
      ::_exit(127);
    }
    while (status_ == nullptr || status_->ready == 0) {
      ::usleep(10000);
      const int fd = ::open(file.c_str(), O_RDWR);
      if (fd >= 0 && ::lseek(fd, 0, SEEK_END) == sizeof(targets::SpinnerStatus) &&
          status_ == nullptr)
        status_ = static_cast<targets::SpinnerStatus*>(
            ::mmap(nullptr, sizeof(targets::SpinnerStatus), PROT_READ, MAP_SHARED, fd, 0));
      if (fd >= 0) ::close(fd);
    }
    ::unlink(file.c_str());
    ::sleep(1);  // all threads get to run once, which touches their stacks
    before_ = look();
  }
  Spinner(const Spinner&) = delete;
  Spinner& operator=(const Spinner&) = delete;
  ~Spinner() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

  [[nodiscard]] std::string pid() const { return std::to_string(pid_); }
  [[nodiscard]] std::string site() const { return std::to_string(status_->site); }

  // Runs on, with every register and result right; nobody in it is held but a
  // helper, which is not its own. What is wrong, or nothing.
  [[nodiscard]] std::string harm() const {
    if (::waitpid(pid_, nullptr, WNOHANG) != 0) return "the target is dead";
    if (status_->bad != 0) return "a result or a register was wrong";
    for (const auto& tid : list("/proc/" + pid() + "/task")) {
      const std::string folder = "/proc/" + pid() + "/task/" + tid;
      const std::string stat = read_all(folder + "/stat");
      const auto at = stat.rfind(')');
      const bool held = at != std::string::npos && (stat[at + 2] == 't' || stat[at + 2] == 'T');
      if (held && !read_all(folder + "/comm").starts_with("nohalt-helper"))
        return "a thread is held: " + stat;
    }
    const std::uint64_t calls = status_->original + status_->patched;
    for (int i = 0; i < 500 && calls == status_->original + status_->patched; ++i) ::usleep(10000);
    return calls == status_->original + status_->patched ? "the target does not run" : "";
  }

  // Waits until the threads are its own again, then compares.
  [[nodiscard]] bool as_before() const {
    for (int i = 0; i < 500 && look() != before_; ++i) ::usleep(10000);
    return look() == before_;
  }

 private:
  [[nodiscard]] Footprint look() const {
    Footprint now{read_all("/proc/" + pid() + "/maps"), list("/proc/" + pid() + "/fd"),
                  list("/proc/" + pid() + "/task"), std::string(4096, '\0')};
    const int memory = ::open(("/proc/" + pid() + "/mem").c_str(), O_RDONLY);
    const auto page = static_cast<off_t>(status_->site & ~4095ULL);
    if (::pread(memory, now.page.data(), now.page.size(), page) != 4096) now.page.clear();
    ::close(memory);
    return now;
  }

  pid_t pid_ = 0;
  targets::SpinnerStatus* status_ = nullptr;
  Footprint before_;
};

int run_untraced(const std::vector<std::string>& command) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::setpriority(PRIO_PROCESS, 0, -20);
    ::execl(command[0].c_str(), command[0].c_str(), command[1].c_str(), command[2].c_str(),
            command[3].c_str(), nullptr);
    ::_exit(127);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  return status;
}

std::string ask_for_harm(void* spinner) { return static_cast<Spinner*>(spinner)->harm(); }

// One attempt; what went wrong, or nothing.
std::string attempt(const std::string& driver, Spinner& spinner, const Plan& plan,
                    Outcome& outcome) {
  TracedDriver traced;
  outcome = traced.run({driver, "arm-disarm", spinner.pid(), spinner.site()}, plan, ask_for_harm,
                       &spinner);
  if (outcome.timed_out) return "the tool's processes did not end";
  if (!traced.harm_while_held().empty()) return "while held: " + traced.harm_while_held();
  if (const auto harm = spinner.harm(); !harm.empty()) return harm;
  // A machine that gives the tracer no time for 50 ms makes the watchdog end it;
  // a person would then sweep once more.
  constexpr int kSweeps = 3;
  int swept = 0;
  while (swept < kSweeps && run_untraced({driver, "recover", spinner.pid(), spinner.site()}) != 0)
    ++swept;
  if (swept == kSweeps) return "recovery failed";
  if (const auto harm = spinner.harm(); !harm.empty()) return "after recovery: " + harm;
  if (!spinner.as_before()) return "the target is not as it was";
  return "";
}

// 1..count in an order of which every beginning spreads evenly.
std::vector<std::uint64_t> spread(std::uint64_t count) {
  std::uint64_t step = std::max<std::uint64_t>(1, count * 618 / 1000);
  while (std::gcd(step, count) != 1) ++step;
  std::vector<std::uint64_t> order;
  for (std::uint64_t i = 0; i < count; ++i) order.push_back(i * step % count + 1);
  return order;
}

int run(const std::string& driver, const std::string& program, Plan plan, int seconds) {
  Spinner spinner(program);
  Outcome whole;
  const std::string dry = attempt(driver, spinner, {plan.role, Action::kNone, 0}, whole);
  if (!dry.empty() || whole.tool_status != 0) {
    std::printf("undisturbed: status %x %s\n", static_cast<unsigned>(whole.tool_status),
                dry.c_str());
    return 1;
  }
  const auto end = Clock::now() + std::chrono::seconds(seconds);
  const bool all = std::getenv("NOHALT_LONG") != nullptr;
  std::uint64_t tried = 0;
  for (const auto at : spread(whole.calls)) {
    if (!all && Clock::now() > end) break;
    plan.at = at;
    Outcome outcome;
    const std::string wrong = attempt(driver, spinner, plan, outcome);
    ++tried;
    if (wrong.empty()) continue;
    std::printf("at call %lu (number %ld): %s\n", at, outcome.acted_on, wrong.c_str());
    return 1;
  }
  std::printf("%lu of %lu system calls tried, target unharmed\n", tried, whole.calls);
  return 0;
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
