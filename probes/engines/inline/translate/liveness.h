// Which registers of a capture program need to exist in the machine.
//
// The verifier knows every pointer as a base and a constant offset, and many
// numbers as constants. The translator writes those into the instructions that
// use them, so the moves that made them need not be emitted. What is left is
// found by the usual backward pass: a register is live where some later
// instruction reads its value from the machine.
//
// Source: Kildall, "A unified approach to global program optimization" (POPL
// 1973); jumps go forward only, so one pass is the fixed point.
#pragma once

#include <bitset>
#include <vector>

#include "probes/program/opcode.h"
#include "probes/program/program.h"
#include "probes/program/verifier.h"

namespace nohalt::inline_translate {

using RegisterSet = std::bitset<program::kRegisterCount>;

// For each slot: the registers whose machine value is read later.
[[nodiscard]] std::vector<RegisterSet> live_after(const program::Program& program,
                                                  const program::VerifiedProgram& verified);

}  // namespace nohalt::inline_translate
