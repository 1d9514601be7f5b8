// Where a file whose code probes go into is mapped in a process: the bridge from
// link-time to run-time addresses, and what of the file narrows where it may be
// patched.
//
// Threading: plain values; reads /proc and the process's memory only.
#pragma once

#include <sys/types.h>

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "probes/engines/inline/sites/displaceable.h"
#include "probes/symbols/debug_info.h"
#include "probes/target/maps.h"
#include "src/base/address.h"
#include "src/base/result.h"

namespace nohalt::engines {

// A file that places are in, as it was found when they were looked for.
struct ProbedFile {
  const symbols::DebugInfo* info = nullptr;
  std::optional<LoadBias> bias;  // of a library; absent: the program itself
};

struct MappedImage {
  const symbols::DebugInfo* info = nullptr;
  LoadBias bias;
  target::FileId file;
  bool is_mapped = true;  // false: a library that went, or that is loaded twice
  // It is the program or was loaded with it, so that it stays as long as the process
  // lives. What dlopen brought may go at any moment.
  bool is_lasting = false;
  // What of its writable segments is readable: mapped as long as the process
  // lives. A program may have taken a page of it away (a guard inside .bss).
  // Empty where the file may go.
  std::vector<RuntimeRange> data;
  std::vector<LinkRange> restartable_sequences;
};

// Where the program begins, in what /proc/PID/auxv holds. Reason: executable-not-mapped.
[[nodiscard]] Result<RuntimeAddress> entry_point(std::string_view auxv);

// `files` begins with the program; the answer has their order. Reasons:
// executable-not-mapped (the program's text is not where the kernel put it).
[[nodiscard]] Result<std::vector<MappedImage>> locate_images(pid_t pid, const target::Maps& maps,
                                                             std::span<const ProbedFile> files);

// The parts of `range` that private, readable mappings cover, adjacent ones as one.
[[nodiscard]] std::vector<RuntimeRange> readable_parts(const target::Maps& maps,
                                                       const RuntimeRange& range);

// From /proc/PID/status: handlers for faults; from the files' symbols: Go and
// split-stack code.
[[nodiscard]] inline_sites::TargetTraits read_traits(pid_t pid, std::span<const ProbedFile> files);

}  // namespace nohalt::engines
