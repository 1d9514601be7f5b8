// Whether a process has its memory to itself. Any process may share it, not only
// relatives: clone(2) with CLONE_VM takes CLONE_PARENT too, and ends of parents
// move children about. Reads only.
#pragma once

#include <sys/types.h>

#include <optional>

#include "src/base/result.h"

namespace nohalt::target {

// A process other than `pid` that runs in the same memory; none where the kernel
// says of every process that may be seen in /proc that it does not. Where it may
// not be asked of one that could: reason "memory-sharing-unknown".
[[nodiscard]] Result<std::optional<pid_t>> shares_memory_outside(pid_t pid);

// The kernel says that both run in the same memory.
[[nodiscard]] bool share_memory(pid_t pid, pid_t other);

}  // namespace nohalt::target
