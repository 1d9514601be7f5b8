// What a Location comes to, given the registers and memory of one stop. A plain
// interpreter, kept apart from the code generator so that it can be its oracle.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "probes/symbols/location.h"

namespace nohalt::symbols {

struct MachineState {
  std::array<std::uint64_t, 17> general{};                // by DWARF number
  std::array<std::array<std::uint8_t, 16>, 16> vector{};  // xmm0 to xmm15
  std::uint64_t load_bias = 0;
  std::function<bool(std::uint64_t address, std::span<std::uint8_t> into)> read_memory;
};

struct EvaluatedBytes {
  std::vector<std::uint8_t> bytes;
  std::vector<bool> known;               // for each byte: false where it is not available
  std::optional<std::uint64_t> address;  // where it is in memory as a whole
};

// The first `size` bytes of the value. Absent: not available, or unreadable.
[[nodiscard]] std::optional<EvaluatedBytes> evaluate(const Location& location, std::uint64_t size,
                                                     const MachineState& state);

}  // namespace nohalt::symbols
