// Which bytes of the captured stack hold what policy hides, as far as names tell:
// each variable that a rule hides, of each frame that is known, and each hidden
// member of one that is not. What lies there is hidden from all that could lead to
// it under another name.
//
// Threading: pure.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "probes/capture/capture.h"
#include "probes/stacks/hit_memory.h"
#include "probes/stacks/unwind.h"
#include "probes/symbols/debug_info.h"

namespace nohalt::locals {

// The parts of memory that these variables of the frame must not be seen in. To be
// asked of all frames before any is hidden, since a place may be told by memory.
[[nodiscard]] std::vector<RuntimeRange> hidden_ranges(std::span<const symbols::Variable> variables,
                                                      const stacks::Frame& frame,
                                                      const capture::Redaction& redaction,
                                                      const stacks::HitMemory& memory);

// The registers of the frame that hold what a rule hides, or a part of it, or from which
// it is computed.
struct HiddenRegister {
  std::uint16_t number = 0;
  bool is_computed_from = false;
};
[[nodiscard]] std::vector<HiddenRegister> hidden_registers(
    std::span<const symbols::Variable> variables, const stacks::Frame& frame,
    const capture::Redaction& redaction, const stacks::HitMemory& memory);

}  // namespace nohalt::locals
