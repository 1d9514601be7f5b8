// What our decoder wants to know of an instruction by its Capstone number or
// name. Numbers are passed as plain integers, so that Capstone stays out of headers.
#pragma once

#include <cstdint>
#include <string_view>

#include "probes/engines/inline/sites/instruction.h"

namespace nohalt::inline_sites {

[[nodiscard]] constexpr std::uint32_t bit(Trait trait) { return static_cast<std::uint32_t>(trait); }

// The general register's number, kRipRegister, kNoRegister or kOtherRegister.
[[nodiscard]] std::int8_t register_number(unsigned reg);

// `direct`: its first operand is an immediate.
[[nodiscard]] Flow flow_of(unsigned id, bool direct);
[[nodiscard]] Operation operation_of(unsigned id);
[[nodiscard]] std::uint32_t id_traits(unsigned id);

// By mnemonic: SSE or AVX arithmetic that may raise a floating-point exception.
[[nodiscard]] bool vector_arithmetic(std::string_view name);

// Names a memory operand without touching memory.
[[nodiscard]] bool only_names_memory(unsigned id);
// Pushes or pops.
[[nodiscard]] bool uses_stack(unsigned id);
// Uses memory that is no operand of it.
[[nodiscard]] bool hidden_memory(unsigned id);

}  // namespace nohalt::inline_sites
