// The value of a frame's variable, and what it leads to as far as that is known
// after the hit: with the limits and the rules of redaction of what is captured
// at the hit itself, and decoded in the same way.
//
// Threading: pure.
#pragma once

#include <cstddef>
#include <vector>

#include "probes/capture/capture.h"
#include "probes/records/values/value.h"
#include "probes/stacks/hit_memory.h"
#include "probes/stacks/unwind.h"
#include "probes/symbols/debug_info.h"

namespace nohalt::locals {

struct Rules {
  capture::CaptureLimits limits;
  capture::Redaction redaction;
};

// The `why` of a value that was computed again from what the caller passed.
inline constexpr const char* kEntryValue = "entry value";

// A pointer whose target is not known is just its address.
[[nodiscard]] values::Value value_of(const symbols::Variable& variable, const stacks::Frame& frame,
                                     const stacks::HitMemory& memory, const Rules& rules);

// What the value is decoded from.
struct ValueRecord {
  capture::Node node;
  std::vector<std::byte> body;
  bool is_entry_value = false;
};
[[nodiscard]] ValueRecord record_of(const symbols::Variable& variable, const stacks::Frame& frame,
                                    const stacks::HitMemory& memory, const Rules& rules);

}  // namespace nohalt::locals
