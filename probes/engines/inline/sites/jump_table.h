// Proving where an indirect jump leads: recognises the jump tables that GCC and
// Clang emit for `switch`.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "probes/engines/inline/sites/function_code.h"

namespace nohalt::inline_sites {

struct JumpTable {
  LinkAddress address;
  std::uint64_t entries = 0;
  bool relative = false;  // 4-byte distances from the table; else 8-byte addresses
};

// The table behind the indirect jump at `jump`. `targets` are the branch targets
// known so far, sorted: none may lie between bound check and jump.
[[nodiscard]] std::optional<JumpTable> find_jump_table(
    std::span<const PlacedInstruction> instructions, std::size_t jump,
    std::span<const LinkAddress> targets);

// Its targets; nothing where the data cannot be read.
[[nodiscard]] std::optional<std::vector<LinkAddress>> read_jump_table(const JumpTable& table,
                                                                      const ReadData& read_data);

}  // namespace nohalt::inline_sites
