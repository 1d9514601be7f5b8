// Moving displaced instructions: the bytes that, at another address, do exactly
// what the originals did at theirs, and then go on behind them. No register, no
// flag and nothing at or above rsp - 128 is disturbed beyond what the originals
// themselves do. Bytes to bytes: no process is involved.
//
// Threading: pure functions.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <vector>

#include "probes/engines/inline/sites/instruction.h"
#include "probes/engines/inline/sites/refusal.h"
#include "src/base/address.h"

namespace nohalt::inline_relocate {

struct Relocation {
  std::vector<std::uint8_t> bytes;  // code, then 8-byte constants that it reads
  // Where in it each instruction begins: there registers and memory are as at the
  // original's begin.
  std::vector<std::size_t> starts;
};

// `displaced` are consecutive instructions that begin at `original`, each of
// them displaceable (sites/displaceable.h). Refuses with kRelocationOutOfReach
// where a RIP-relative operand is too far from `destination`, and kCallNotLast. Without
// `goes_back` nothing follows them; else a jump to behind the original ones.
[[nodiscard]] std::expected<Relocation, inline_sites::SiteRefusal> relocate(
    std::span<const inline_sites::Instruction> displaced, RuntimeAddress original,
    RuntimeAddress destination, bool goes_back = true);

// No relocation of these is larger, wherever it goes. Bytes.
[[nodiscard]] std::size_t largest_relocation(std::span<const inline_sites::Instruction> displaced);

// Destinations from which every RIP-relative operand can be reached; nothing
// where there is none.
[[nodiscard]] std::optional<RuntimeRange> relocation_reach(
    std::span<const inline_sites::Instruction> displaced, RuntimeAddress original);

}  // namespace nohalt::inline_relocate
