// What a process may turn to while it is probed, and which makes going on a
// danger to it. Seen in /proc, without touching it; asked once a second.
//
//  - A system call filter on any of its threads: it may kill the process for the
//    system call by which a hit reads memory.
//  - A handler for faults that a moved instruction may raise: the handler sees the
//    address it was moved to, and may not know it.
//
// Threading: plain values.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <span>

#include "probes/engines/inline/sites/instruction.h"

namespace nohalt::engines {

enum class Change { kNone, kFiltered, kHandlesFaults };

// The signals that a process has handlers for, a bit each, as SigCgt in
// /proc/PID/status; 0 where it has ended.
[[nodiscard]] std::uint64_t caught_signals(pid_t pid);
[[nodiscard]] constexpr std::uint64_t signal_bit(int signal) {
  return std::uint64_t{1} << (signal - 1);
}

// The signals that these may raise when they fault, as such bits.
[[nodiscard]] std::uint64_t faults_of(std::span<const inline_sites::Instruction> moved);

class ChangeWatch {
 public:
  ChangeWatch() = default;
  // For handlers of `faults` that were not there when the planner saw `caught`.
  ChangeWatch(pid_t pid, std::uint64_t faults, std::uint64_t caught)
      : pid_(pid), unhandled_(faults & ~caught) {}

  [[nodiscard]] Change look() const;

 private:
  pid_t pid_ = 0;
  std::uint64_t unhandled_ = 0;
};

}  // namespace nohalt::engines
