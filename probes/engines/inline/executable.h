// Where the main executable of a process is mapped: the bridge from link-time
// to run-time addresses, and what the process does that narrows where it may be
// patched.
//
// Threading: plain values; reads /proc only.
#pragma once

#include <sys/types.h>

#include <string_view>
#include <vector>

#include "probes/engines/inline/sites/displaceable.h"
#include "probes/symbols/debug_info.h"
#include "probes/target/maps.h"
#include "src/base/address.h"
#include "src/base/result.h"

namespace nohalt::engines {

struct MappedExecutable {
  LoadBias bias;
  target::FileId file;  // of the executable's mappings
  // What of its writable segments is readable: mapped as long as the process
  // lives. A program may have taken a page of it away (a guard inside .bss).
  std::vector<RuntimeRange> data;
};

// Where the program begins, in what /proc/PID/auxv holds. Reason: executable-not-mapped.
[[nodiscard]] Result<RuntimeAddress> entry_point(std::string_view auxv);

// Reasons: executable-not-mapped (its text is not where the kernel put it).
[[nodiscard]] Result<MappedExecutable> locate_executable(pid_t pid, const target::Maps& maps,
                                                         const symbols::DebugInfo& info);

// The parts of `range` that private, readable mappings cover, adjacent ones as one.
[[nodiscard]] std::vector<RuntimeRange> readable_parts(const target::Maps& maps,
                                                       const RuntimeRange& range);

// From /proc/PID/status: handlers for faults; from the symbols:
// Go and split-stack code; from both: restartable sequences.
[[nodiscard]] Result<inline_sites::TargetTraits> read_traits(pid_t pid,
                                                             const symbols::DebugInfo& info,
                                                             LoadBias bias);

}  // namespace nohalt::engines
