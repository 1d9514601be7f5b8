// Capture programs as text, for people: 'nohalt plan', errors and tests.
#pragma once

#include <string>

#include "probes/program/program.h"

namespace nohalt::program {

// One line an instruction, with its index; jumps show their target's index. An
// instruction outside the profile is shown as its bytes.
[[nodiscard]] std::string list(const Program& program);

// One instruction without its index. `high` is the next slot, of a wide immediate.
[[nodiscard]] std::string list_one(const Instruction& instruction, std::size_t at,
                                   const Instruction& high = {});

}  // namespace nohalt::program
