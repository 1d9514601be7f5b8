// Reads /proc (proc(5)), the file that the spinner shares, and the control page
// of the run.
#include "tests/e2e/kill/hot_target.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <fstream>
#include <sstream>

#include "probes/runtime/layout.h"

namespace nohalt::kill_test {

namespace {

using std::chrono::milliseconds;

constexpr int kThreads = 16;
// Longer than a thread may be held before the watchdog steps in (50 ms).
constexpr milliseconds kLongHold{150};
constexpr milliseconds kPatience{5000};
// Threads that run all the time hit a probe at once if it still admits them.
constexpr milliseconds kQuiet{300};
constexpr milliseconds kDormantWithin{2000};

void pause(milliseconds time) { ::usleep(static_cast<useconds_t>(time.count() * 1000)); }

template <class Condition>
bool wait_for(Condition condition) {
  const auto deadline = Clock::now() + kPatience;
  while (!condition()) {
    if (Clock::now() > deadline) return false;
    pause(milliseconds{10});
  }
  return true;
}

std::set<std::string> list(const std::string& folder) {
  std::set<std::string> names;
  DIR* open = ::opendir(folder.c_str());
  while (const dirent* entry = open != nullptr ? ::readdir(open) : nullptr)
    if (entry->d_name[0] != '.') names.insert(entry->d_name);
  if (open != nullptr) ::closedir(open);
  return names;
}

// Start and end of a line of /proc/PID/maps.
std::pair<std::uint64_t, std::uint64_t> range_of(const std::string& line) {
  std::size_t dash = 0;
  const std::uint64_t begin = std::stoull(line, &dash, 16);
  return {begin, std::stoull(line.substr(dash + 1), nullptr, 16)};
}

bool is_text(const std::string& line) {
  const auto flags = line.find(' ') + 1;
  return line[flags + 2] == 'x' && line.find('/') != std::string::npos;
}

std::string difference_of(const std::string& maps, const std::string& other) {
  std::set<std::string> lines;
  std::string line;
  for (std::istringstream text(other); std::getline(text, line);) lines.insert(line);
  for (std::istringstream text(maps); std::getline(text, line);)
    if (!lines.contains(line)) return line;
  return "";
}

}  // namespace

std::string read_all(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

HotTarget::HotTarget(const std::string& program, const std::string& folder) {
  const std::string file = folder + "/spinner";
  pid_ = ::fork();
  if (pid_ == 0) {
    const std::string threads = std::to_string(kThreads);
    ::execl(program.c_str(), program.c_str(), threads.c_str(), file.c_str(), nullptr);
    ::_exit(127);
  }
  while (status_ == nullptr || status_->ready == 0) {
    pause(milliseconds{10});
    const int fd = ::open(file.c_str(), O_RDWR);
    if (fd >= 0 && ::lseek(fd, 0, SEEK_END) == sizeof(targets::SpinnerStatus) && status_ == nullptr)
      status_ = static_cast<targets::SpinnerStatus*>(
          ::mmap(nullptr, sizeof(targets::SpinnerStatus), PROT_READ, MAP_SHARED, fd, 0));
    if (fd >= 0) ::close(fd);
  }
  pause(milliseconds{1000});  // all threads get to run once, which touches their stacks
  before_ = look();
}

HotTarget::~HotTarget() {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

// Threads that are stopped, with their processor time: who has the same in two
// looks was stopped between them too.
std::set<std::string> HotTarget::held_threads() const {
  std::set<std::string> held;
  for (const auto& tid : before_.threads) {
    const std::string task = folder() + "/task/" + tid;
    const std::string stat = read_all(task + "/stat");
    const auto at = stat.rfind(')');
    if (at != std::string::npos && (stat[at + 2] == 't' || stat[at + 2] == 'T'))
      held.insert(tid + ": " + read_all(task + "/schedstat"));
  }
  return held;
}

bool HotTarget::runs_on() const {
  const std::uint64_t calls = status_->calls;
  return wait_for([&] { return status_->calls != calls; });
}

std::string HotTarget::harm() const {
  if (::waitpid(pid_, nullptr, WNOHANG) != 0) return "the target is dead";
  if (status_->bad != 0) return "a result or a register was wrong";
  if (const auto held = held_threads(); !held.empty()) {
    pause(kLongHold);
    for (const auto& thread : held_threads())
      if (held.contains(thread)) return "thread " + thread + " is held";
  }
  return runs_on() ? "" : "the target does not run";
}

bool HotTarget::is_released() const {
  for (const auto& tid : list(folder() + "/task"))
    if (!before_.threads.contains(tid) ||
        read_all(folder() + "/task/" + tid + "/status").find("\nTracerPid:\t0\n") ==
            std::string::npos)
      return false;
  return true;
}

// How many hits each probe has let in; of no run, nothing.
std::vector<std::uint64_t> HotTarget::admitted() const {
  const std::string name = std::string("/memfd:") + runtime::kControlName;
  std::vector<std::uint64_t> counts;
  std::string line;
  std::istringstream maps(read_all(folder() + "/maps"));
  while (std::getline(maps, line) && line.find(name) == std::string::npos) continue;
  if (!maps) return counts;
  const int memory = ::open((folder() + "/mem").c_str(), O_RDONLY | O_CLOEXEC);
  for (std::uint64_t i = 0; i < runtime::kMaxProbes; ++i) {
    runtime::ProbeControl probe{};
    const std::uint64_t at =
        range_of(line).first + runtime::kProbesStart + i * sizeof(runtime::ProbeControl);
    if (::pread(memory, &probe, sizeof probe, static_cast<off_t>(at)) == sizeof probe)
      counts.emplace_back(probe.next_seq);
  }
  ::close(memory);
  return counts;
}

bool HotTarget::falls_dormant(Clock::time_point since) const {
  auto last = admitted();
  auto changed = Clock::now();
  std::uint64_t calls = status_->calls;
  while (!last.empty()) {
    pause(milliseconds{20});
    auto now = admitted();
    if (now != last) {
      if (Clock::now() > since + kDormantWithin) return false;
      last = std::move(now);
      changed = Clock::now();
      calls = status_->calls;
    }
    if (Clock::now() > changed + kQuiet && status_->calls != calls) break;
  }
  return true;
}

Footprint HotTarget::look() const {
  Footprint now;
  now.maps = read_all(folder() + "/maps");
  now.descriptors = list(folder() + "/fd");
  now.threads = list(folder() + "/task");
  for (const auto& tid : now.threads) {
    const std::string status = read_all(folder() + "/task/" + tid + "/status");
    if (status.find("\nTracerPid:\t0\n") == std::string::npos) now.traced.insert(tid);
  }
  const int memory = ::open((folder() + "/mem").c_str(), O_RDONLY | O_CLOEXEC);
  std::string line;
  for (std::istringstream maps(now.maps); std::getline(maps, line);) {
    if (!is_text(line)) continue;
    const auto [begin, end] = range_of(line);
    std::string bytes(end - begin, '\0');
    if (::pread(memory, bytes.data(), bytes.size(), static_cast<off_t>(begin)) > 0)
      now.text += bytes;
  }
  ::close(memory);
  return now;
}

std::string HotTarget::difference() const {
  if (wait_for([&] { return look() == before_; })) return "";
  const Footprint now = look();
  if (now.maps != before_.maps)
    return "mappings: gone '" + difference_of(before_.maps, now.maps) + "', new '" +
           difference_of(now.maps, before_.maps) + "'";
  if (now.text != before_.text) return "text";
  if (now.threads != before_.threads) return "threads";
  if (now.traced != before_.traced) return "a thread is traced";
  return "descriptors";
}

}  // namespace nohalt::kill_test
