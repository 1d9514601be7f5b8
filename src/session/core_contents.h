// What the core file of a hit holds of its registers and memory: what its snapshot
// shows, and what leads a debugger there.
//
// Threading: one thread.
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <set>
#include <span>
#include <vector>

#include "policy/redaction/value_rules.h"
#include "probes/capture/capture.h"
#include "probes/classes/vtables.h"
#include "probes/stacks/hit_memory.h"
#include "probes/stacks/locals/disclosure.h"
#include "probes/stacks/locals/value.h"
#include "probes/stacks/unwind.h"
#include "src/output/core_file.h"
#include "src/session/snapshot.h"

namespace nohalt::session {

// Of one hit: its record goes in, what may be told comes out. Nothing comes out of a hit
// without a stack.
struct CoreContents {
  const policy::ValueRules* value_rules = nullptr;
  const classes::Vtables* vtables = nullptr;
  const capture::CaptureLayout* layout = nullptr;
  std::span<const std::byte> body;
  std::set<std::size_t> left_out = {};  // of the layout's values: what is not to be told

  std::array<locals::ToldRegister<8>, symbols::kFrameRegisters> registers;
  std::array<locals::ToldRegister<16>, locals::kVectorRegisters> vectors;
  std::vector<locals::MemoryImage::Segment> memory;
};

// The stack of the hit, with what its frames' functions have in scope.
struct StackOfHit {
  const stacks::Unwound& unwound;
  const stacks::CapturedStack& captured;
  const stacks::HitMemory& memory;
  const locals::Rules& rules;
  std::span<const RuntimeRange> hidden;
  std::function<const std::vector<ScopeFrame>&(const stacks::Frame&)> functions_of;
};

void gather(CoreContents& contents, const StackOfHit& stack);

}  // namespace nohalt::session
