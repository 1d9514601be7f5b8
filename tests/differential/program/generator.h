// Random capture programs that keep all the rules: every kind of instruction,
// operands at the edges, nested forward branches that join, reads to the stack
// and the record, early exits.
#pragma once

#include <cstdint>
#include <span>

#include "probes/program/program.h"
#include "probes/runtime/layout.h"

namespace nohalt::program_test {

// The same seed gives the same program.
[[nodiscard]] program::Program generate(std::uint64_t seed);

// Numbers where arithmetic tends to go wrong.
[[nodiscard]] std::span<const std::uint64_t> edge_values();

}  // namespace nohalt::program_test
