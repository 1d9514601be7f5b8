// kcmp(2) compares the memory of two processes. It needs leave to trace both, and
// not every kernel has it: of a process that it does not tell, the sizes that
// /proc/PID/status shows to everybody are compared, which are properties of the
// memory and so the same where the memory is.
#include "probes/target/memory_sharing.h"

#include <linux/kcmp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <string>
#include <vector>

#include "probes/target/process.h"
#include "probes/target/threads.h"
#include "src/base/file.h"

namespace nohalt::target {

namespace {

enum class Answer { kNo, kYes, kUnknown };

std::string folder_of(pid_t pid) { return "/proc/" + std::to_string(pid); }

constexpr std::array kSizes = {"VmPeak", "VmSize", "VmLck", "VmHWM", "VmData",
                               "VmStk",  "VmExe",  "VmLib", "VmPTE"};
using Sizes = std::array<std::string, kSizes.size()>;

Sizes memory_sizes(pid_t pid) {
  const auto status = read_file(folder_of(pid) + "/status");
  Sizes sizes;
  if (!status) return sizes;
  std::ranges::transform(kSizes, sizes.begin(),
                         [&](const char* name) { return status_field(*status, name); });
  return sizes;
}

// A size that differs tells only where it stayed as it was in both, while the other was
// read and read again: a memory that they share grows and shrinks under either name.
bool sizes_differ(pid_t pid, pid_t other) {
  constexpr int kAttempts = 5;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const std::array<Sizes, 5> reads = {memory_sizes(pid), memory_sizes(other), memory_sizes(pid),
                                        memory_sizes(other), memory_sizes(pid)};
    for (std::size_t i = 0; i < kSizes.size(); ++i) {
      const bool ours_stayed = reads[0][i] == reads[2][i] && reads[2][i] == reads[4][i];
      const bool others_stayed = reads[1][i] == reads[3][i];
      if (ours_stayed && others_stayed && reads[0][i] != reads[1][i]) return true;
    }
  }
  return false;
}

Answer same_memory(pid_t pid, pid_t other) {
  const long order = ::syscall(SYS_kcmp, pid, other, KCMP_VM, 0, 0);
  if (order == 0) return Answer::kYes;
  if (order > 0 || errno == ESRCH) return Answer::kNo;
  return sizes_differ(pid, other) ? Answer::kNo : Answer::kUnknown;
}

// The main thread of a process may have ended before the others, and has no
// memory any more; then any of those is asked for all.
Answer shares(pid_t pid, pid_t other) {
  const Answer by_main_thread = same_memory(pid, other);
  if (by_main_thread == Answer::kYes) return Answer::kYes;
  const auto stat = read_file(folder_of(other) + "/stat");
  if (!stat) return Answer::kNo;
  constexpr int kThreadsField = 20;
  if (parse_state(*stat) != 'Z' || parse_stat_field(*stat, kThreadsField) < 2)
    return by_main_thread;
  const auto threads = list_threads(other);
  if (!threads) return Answer::kNo;
  Answer answer = Answer::kNo;
  for (const pid_t tid : *threads) {
    if (tid == other) continue;
    const Answer one = same_memory(pid, tid);
    if (one == Answer::kYes) return one;
    if (one == Answer::kUnknown) answer = one;
  }
  return answer;
}

Result<std::vector<pid_t>> list_processes() {
  std::vector<pid_t> pids;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    const std::string name = entry.path().filename();
    pid_t pid = 0;
    const auto parsed = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (parsed.ec == std::errc{} && parsed.ptr == name.data() + name.size()) pids.push_back(pid);
  }
  if (error) return fail_errno("list", "/proc", error.value());
  return pids;
}

// A thread to ask for the whole process: the main thread has no memory any more
// once it has ended, just as kernel threads have none. 0: none lives.
Result<pid_t> thread_with_memory(pid_t pid) {
  NOHALT_TRY(const std::vector<pid_t> threads, list_threads(pid));
  const auto living =
      std::ranges::find_if(threads, [&](pid_t tid) { return thread_lives(pid, tid); });
  return living == threads.end() ? 0 : *living;
}

Result<std::optional<pid_t>> ask_all(pid_t pid, pid_t thread) {
  NOHALT_TRY(const std::vector<pid_t> processes, list_processes());
  std::optional<pid_t> unknown;
  for (const pid_t other : processes) {
    if (other == pid) continue;
    const Answer answer = shares(thread, other);
    if (answer == Answer::kYes) return other;
    if (answer == Answer::kUnknown) unknown = other;
  }
  if (!unknown) return std::nullopt;
  return fail(ErrorCode::kRefused, "memory-sharing-unknown",
              "The kernel does not say whether process " + std::to_string(pid) +
                  " shares its memory with process " + std::to_string(*unknown) + ".",
              "Run nohalt with CAP_SYS_PTRACE, on a kernel with kcmp(2).");
}

}  // namespace

bool share_memory(pid_t pid, pid_t other) {
  const auto thread = thread_with_memory(pid);
  return thread && *thread != 0 && shares(*thread, other) == Answer::kYes;
}

Result<std::optional<pid_t>> shares_memory_outside(pid_t pid) {
  constexpr int kAttempts = 5;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    NOHALT_TRY(const pid_t thread, thread_with_memory(pid));
    if (thread == 0) return std::nullopt;
    auto answer = ask_all(pid, thread);
    if (thread_lives(pid, thread)) return answer;
  }
  return fail(ErrorCode::kRefused, "memory-sharing-unknown",
              "The threads of process " + std::to_string(pid) +
                  " end faster than they can be asked whose memory they share.",
              "Try again when it is less busy.");
}

}  // namespace nohalt::target
