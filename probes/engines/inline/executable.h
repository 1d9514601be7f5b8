// Where the main executable of a process is mapped: the bridge from link-time
// to run-time addresses, and what the process does that narrows where it may be
// patched.
//
// Threading: plain values; reads /proc only.
#pragma once

#include <sys/types.h>

#include <vector>

#include "probes/engines/inline/sites/displaceable.h"
#include "probes/symbols/debug_info.h"
#include "probes/target/maps.h"
#include "src/base/address.h"
#include "src/base/result.h"

namespace nohalt::engines {

struct MappedExecutable {
  LoadBias bias;
  target::FileId file;             // of the executable's mappings
  std::vector<RuntimeRange> data;  // its writable segments: mapped as long as the process lives
};

// Reasons: executable-not-mapped (its text is not where the kernel put it).
[[nodiscard]] Result<MappedExecutable> locate_executable(pid_t pid, const target::Maps& maps,
                                                         const symbols::DebugInfo& info);

// From /proc/PID/status: handlers for faults, shadow stacks; from the symbols:
// Go and split-stack code; from both: restartable sequences.
[[nodiscard]] Result<inline_sites::TargetTraits> read_traits(pid_t pid,
                                                             const symbols::DebugInfo& info,
                                                             LoadBias bias);

}  // namespace nohalt::engines
