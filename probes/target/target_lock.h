// One arming at a time in a target: an exclusive lock on an open description of
// /proc/PID/mem. It needs the right to trace, leaves nothing in the file system,
// and ends with its holder (and the holder's tracer), however those end.
//
// The same descriptor is the access to the target's memory, so whoever holds the
// lock also holds the one address space that everything was checked against.
#pragma once

#include <chrono>

#include "probes/target/memory.h"
#include "probes/target/process.h"
#include "src/base/result.h"

namespace nohalt::target {

class TargetLock {
 public:
  // Waits at most `patience`. Reasons: "target-locked" (kAlreadyProbed), and
  // those of Memory::open.
  [[nodiscard]] static Result<TargetLock> acquire(
      const Process& process, std::chrono::milliseconds patience = std::chrono::seconds(5));

  [[nodiscard]] const Memory& memory() const { return memory_; }

 private:
  explicit TargetLock(Memory memory) : memory_(std::move(memory)) {}
  Memory memory_;
};

}  // namespace nohalt::target
