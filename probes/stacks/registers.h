// The general registers of one frame, each known or lost, and the evaluation of
// a location's program over them and over captured memory.
//
// Threading: plain values.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <span>

#include "probes/runtime/layout.h"
#include "probes/symbols/location.h"
#include "probes/symbols/unwind_table.h"

namespace nohalt::stacks {

inline constexpr std::size_t kRbp = 6;  // DWARF numbers (x86-64 psABI, figure 3.36)
inline constexpr std::size_t kRsp = 7;
inline constexpr std::size_t kPc = symbols::kReturnColumn;

// By DWARF number; kPc is where the frame goes on. Absent: lost on the way.
using Registers = std::array<std::optional<std::uint64_t>, symbols::kFrameRegisters>;

// As a hit saves them.
[[nodiscard]] Registers registers_of(const runtime::SavedRegisters& saved);

// Fills `to` whole from the target's memory as it was captured, or says no.
using ReadMemory = std::function<bool(std::uint64_t from, std::span<std::byte> to)>;

enum class Lacking {
  kRegister,       // the program needs a register that is lost
  kMemory,         // it needs memory that was not captured
  kMalformed,      // it makes no sense
  kThreadPointer,  // it needs the thread pointer, which a stack does not come with
};

// Runs a location's program. `bias` turns its link addresses into run-time ones.
[[nodiscard]] std::expected<std::uint64_t, Lacking> evaluate(std::span<const symbols::Op> program,
                                                             const Registers& registers,
                                                             LoadBias bias, const ReadMemory& read);

}  // namespace nohalt::stacks
