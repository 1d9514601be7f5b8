// NSpid in /proc/PID/task/T/status lists a thread's numbers from the reader's
// namespace to its own.
#include "probes/target/thread_numbers.h"

#include <unistd.h>

#include <charconv>
#include <string>

#include "probes/target/threads.h"
#include "src/base/file.h"

namespace nohalt::target {

namespace {

std::string task_path(pid_t pid, pid_t tid) {
  return "/proc/" + std::to_string(pid) + "/task/" + std::to_string(tid);
}

pid_t innermost_number(const std::string& status) {
  const std::string_view numbers = status_field(status, "NSpid");
  const std::size_t last = numbers.find_last_of(" \t");
  const std::string_view text = last == std::string_view::npos ? numbers : numbers.substr(last + 1);
  pid_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

}  // namespace

bool ThreadNumbers::exists(pid_t tid) const {
  return ::access(task_path(pid_, tid).c_str(), F_OK) == 0;
}

void ThreadNumbers::refresh() {
  known_.clear();
  const auto threads = list_threads(pid_);
  if (!threads) return;
  for (const pid_t tid : *threads) {
    const auto status = read_file(task_path(pid_, tid) + "/status");
    if (status) known_[innermost_number(*status)] = tid;
  }
}

pid_t ThreadNumbers::to_tool(pid_t own_tid) {
  if (own_tid <= 0) return 0;
  if (same_) return exists(own_tid) ? own_tid : 0;
  if (const auto known = known_.find(own_tid); known != known_.end() && exists(known->second))
    return known->second;
  refresh();
  const auto known = known_.find(own_tid);
  return known != known_.end() ? known->second : 0;
}

}  // namespace nohalt::target
