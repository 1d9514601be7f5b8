// The part of the verifier that looks at slots one by one: known opcodes, no
// stray fields, existing registers, forward jumps to instructions.
#pragma once

#include <expected>

#include "probes/program/program.h"
#include "probes/program/rules.h"

namespace nohalt::program {

[[nodiscard]] std::expected<void, Violation> check_shape(const Program& program);

}  // namespace nohalt::program
