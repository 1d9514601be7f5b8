// One arming at a time in a target: an exclusive lock on an open description of
// /proc/PID/mem. It needs the right to trace, leaves nothing in the file system,
// and ends with its holder (and the holder's tracer), however those end.
//
// The same descriptor is the access to the target's memory, so whoever holds the
// lock also holds the one address space that everything was checked against.
//
// Each mount of /proc has its own file of that name. So that two tools exclude each
// other which see the target through different mounts (in and outside of a container),
// a pidfd of the target is locked as well: since Linux 6.9 all pidfds of a process are
// one file, whatever the namespaces. Anyone may open a pidfd, so a lock of somebody's
// who is neither root nor of the target's user does not count.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string_view>

#include "probes/target/memory.h"
#include "probes/target/process.h"
#include "src/base/result.h"
#include "src/base/unique_fd.h"

namespace nohalt::target {

class TargetLock {
 public:
  // Waits at most `patience`. Reasons: "target-locked" (kAlreadyProbed), and
  // those of Memory::open.
  [[nodiscard]] static Result<TargetLock> acquire(
      const Process& process, std::chrono::milliseconds patience = std::chrono::seconds(5));

  [[nodiscard]] const Memory& memory() const { return memory_; }

 private:
  TargetLock(Memory memory, UniqueFd pidfd)
      : memory_(std::move(memory)), pidfd_(std::move(pidfd)) {}
  Memory memory_;
  UniqueFd pidfd_;  // not valid where the kernel has no such file
};

// The process that holds a lock on this file, in the text of /proc/locks; 0: none
// that is visible here.
[[nodiscard]] pid_t lock_holder(std::string_view locks, std::uint64_t device, std::uint64_t inode);

}  // namespace nohalt::target
