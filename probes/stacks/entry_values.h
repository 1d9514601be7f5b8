// What the registers of each frame were when it was called, as far as the caller's
// debug information says how to compute again what was passed.
//
// Source: DWARF 5, sections 2.5.1.7 and 3.4.2.
#pragma once

#include <vector>

#include "probes/stacks/hit_memory.h"
#include "probes/stacks/images.h"
#include "probes/stacks/unwind.h"

namespace nohalt::stacks {

// Fills `at_entry` of the frames; `frames` as unwinding gave them.
void find_entry_values(std::vector<Frame>& frames, const UnwindImages& images,
                       const HitMemory& memory);

}  // namespace nohalt::stacks
