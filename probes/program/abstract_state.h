// The lattice under the verifier: the state at entry, what is left of two
// states where paths join, and what a comparison with zero teaches.
#pragma once

#include <optional>

#include "probes/program/verifier.h"

namespace nohalt::program {

[[nodiscard]] ProgramState entry_state();

[[nodiscard]] RegisterState scalar(std::uint64_t min, std::uint64_t max);
[[nodiscard]] RegisterState any_scalar(Width width);

// Keeps in `into` only what holds in both.
void join(ProgramState& into, const ProgramState& other);

// The state where the record turned out to be there, or null.
void record_checked(ProgramState& state, bool there);
// The state where the token was granted, or denied.
void token_checked(ProgramState& state, bool granted);
// The record is committed or abandoned: no pointer into it is left.
void record_released(ProgramState& state);

// A jump on (not) equal to zero of this register: true where the register is
// zero when the jump is taken, false where it is not zero, nothing for other jumps.
[[nodiscard]] std::optional<bool> taken_means_zero(const Instruction& jump);

}  // namespace nohalt::program
