// What the arithmetic and comparison instructions compute, as pure functions:
// used by the interpreter, and by the verifier to follow constants.
//
// Source: RFC 9669 sections 4.1 and 4.3. A 32-bit operation works on the low
// halves and clears the high half; shift counts are masked to the width;
// division by zero gives 0 and modulo by zero leaves the dividend.
#pragma once

#include <cstdint>
#include <optional>

#include "probes/program/opcode.h"

namespace nohalt::program {

// Nothing for an operation the profile does not admit.
[[nodiscard]] std::optional<std::uint64_t> evaluate_alu(AluOp op, Width width, std::uint64_t dst,
                                                        std::uint64_t src);

// Whether the jump is taken. Nothing for what is not a conditional jump.
[[nodiscard]] std::optional<bool> evaluate_jump(JumpOp op, Width width, std::uint64_t left,
                                                std::uint64_t right);

}  // namespace nohalt::program
