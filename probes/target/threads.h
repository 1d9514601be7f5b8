// The threads of a process and what each does right now, read from /proc
// without stopping any. All of it may have changed by the time it is used.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "src/base/address.h"
#include "src/base/result.h"

namespace nohalt::target {

// A system call that a thread sleeps in, as /proc/PID/task/T/syscall shows it.
struct BlockedCall {
  long number = -1;  // -1: blocked, but not in a system call
  std::array<std::uint64_t, 6> arguments{};
  RuntimeAddress stack_pointer;
  RuntimeAddress program_counter;

  friend bool operator==(const BlockedCall&, const BlockedCall&) = default;
};

struct ThreadState {
  pid_t tid = 0;
  char state = '?';                    // as in /proc/PID/stat: R S D T t Z X I
  std::optional<BlockedCall> blocked;  // none: running, or on its way
};

// The text of /proc/PID/task/T/syscall: nothing for a running thread.
[[nodiscard]] Result<std::optional<BlockedCall>> parse_blocked_call(std::string_view text);

// All threads, some of which may have ended since. Reason "threads-change".
[[nodiscard]] Result<std::vector<pid_t>> list_threads(pid_t pid);

// All that passes over a listing name, until two in a row add nobody: the kernel's
// walk ends early where the thread that it stands on ends.
[[nodiscard]] Result<std::vector<pid_t>> join_passes(
    const std::function<Result<std::vector<pid_t>>()>& pass);

// False for one that has ended; true where that cannot be told.
[[nodiscard]] bool thread_lives(pid_t pid, pid_t tid);
[[nodiscard]] Result<ThreadState> read_thread(pid_t pid, pid_t tid);
// The part of it that tells whether the thread sleeps, and where.
[[nodiscard]] Result<std::optional<BlockedCall>> read_blocked_call(pid_t pid, pid_t tid);

// The state letter of a /proc/.../stat line, or '?'.
[[nodiscard]] char parse_state(std::string_view stat);

// The value of a line such as "SigBlk:\t00ff" in /proc/.../status; empty if absent.
[[nodiscard]] std::string_view status_field(std::string_view status, std::string_view name);

}  // namespace nohalt::target
