// Reads /proc/PID/task (proc_pid_task(5), proc_pid_syscall(5)).
#include "probes/target/threads.h"

#include <dirent.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <iterator>
#include <memory>
#include <string>
#include <unordered_set>

#include "src/base/file.h"

namespace nohalt::target {

namespace {

std::string_view next_word(std::string_view& text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\n')) text.remove_prefix(1);
  const auto end = std::min(text.find_first_of(" \n"), text.size());
  const auto word = text.substr(0, end);
  text.remove_prefix(end);
  return word;
}

bool parse_hex(std::string_view word, std::uint64_t& value) {
  if (!word.starts_with("0x")) return false;
  word.remove_prefix(2);
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value, 16);
  return error == std::errc{} && end == word.data() + word.size();
}

std::string task_folder(pid_t pid, pid_t tid) {
  return "/proc/" + std::to_string(pid) + "/task/" + std::to_string(tid);
}

std::unexpected<Error> bad_call_text() {
  return fail(ErrorCode::kInternal, "unreadable-thread-state",
              "The kernel's account of a thread's system call makes no sense.");
}

}  // namespace

Result<std::optional<BlockedCall>> parse_blocked_call(std::string_view text) {
  const auto first = next_word(text);
  if (first == "running") return std::optional<BlockedCall>{};
  BlockedCall call;
  const auto [end, error] = std::from_chars(first.data(), first.data() + first.size(), call.number);
  if (error != std::errc{} || end != first.data() + first.size()) return bad_call_text();
  if (call.number >= 0) {
    for (auto& argument : call.arguments)
      if (!parse_hex(next_word(text), argument)) return bad_call_text();
  }
  if (!parse_hex(next_word(text), call.stack_pointer.value) ||
      !parse_hex(next_word(text), call.program_counter.value))
    return bad_call_text();
  return std::optional(call);
}

namespace {

Result<std::vector<pid_t>> list_once(pid_t pid) {
  const std::string path = "/proc/" + std::to_string(pid) + "/task";
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir(path.c_str()), &::closedir);
  if (!folder)
    return fail(ErrorCode::kTargetGone, "no-such-process",
                "There is no process " + std::to_string(pid) + ".");
  std::vector<pid_t> tids;
  while (const dirent* entry = ::readdir(folder.get())) {
    const int tid = std::atoi(entry->d_name);
    if (tid > 0) tids.push_back(tid);
  }
  return tids;
}

}  // namespace

Result<std::vector<pid_t>> join_passes(const std::function<Result<std::vector<pid_t>>()>& pass) {
  constexpr int kQuietPasses = 2;
  constexpr int kMostPasses = 200;
  std::vector<pid_t> all;
  std::unordered_set<pid_t> known;
  int quiet = 0;
  for (int i = 0; i < kMostPasses; ++i) {
    NOHALT_TRY(const std::vector<pid_t> seen, pass());
    const std::size_t before = all.size();
    std::copy_if(seen.begin(), seen.end(), std::back_inserter(all),
                 [&](pid_t tid) { return known.insert(tid).second; });
    quiet = all.size() == before ? quiet + 1 : 0;
    if (quiet == kQuietPasses) return all;
  }
  return fail(ErrorCode::kRefused, "threads-change",
              "The process makes threads faster than they can be listed.",
              "Try again when it is less busy.");
}

Result<std::vector<pid_t>> list_threads(pid_t pid) {
  return join_passes([pid] { return list_once(pid); });
}

bool thread_lives(pid_t pid, pid_t tid) {
  const std::string folder = task_folder(pid, tid);
  const auto stat = read_file(folder + "/stat");
  const char state = stat ? parse_state(*stat) : '?';
  return ::access(folder.c_str(), F_OK) == 0 && state != 'Z' && state != 'X';
}

char parse_state(std::string_view stat) {
  const auto name_end = stat.rfind(')');
  return name_end == std::string_view::npos || name_end + 2 >= stat.size() ? '?'
                                                                           : stat[name_end + 2];
}

Result<std::optional<BlockedCall>> read_blocked_call(pid_t pid, pid_t tid) {
  NOHALT_TRY(const std::string call, read_file(task_folder(pid, tid) + "/syscall"));
  return parse_blocked_call(call);
}

Result<ThreadState> read_thread(pid_t pid, pid_t tid) {
  ThreadState thread;
  thread.tid = tid;
  NOHALT_TRY(const std::string stat, read_file(task_folder(pid, tid) + "/stat"));
  thread.state = parse_state(stat);
  NOHALT_TRY(thread.blocked, read_blocked_call(pid, tid));
  return thread;
}

std::string_view status_field(std::string_view status, std::string_view name) {
  for (std::size_t at = 0; at < status.size();) {
    const auto end = std::min(status.find('\n', at), status.size());
    const auto line = status.substr(at, end - at);
    if (line.starts_with(name) && line.size() > name.size() && line[name.size()] == ':') {
      const auto value = line.find_first_not_of(" \t", name.size() + 1);
      return value == std::string_view::npos ? std::string_view{} : line.substr(value);
    }
    at = end + 1;
  }
  return {};
}

}  // namespace nohalt::target
