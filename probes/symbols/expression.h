// Translating DWARF expressions into Locations. Internal.
#pragma once

#include <elfutils/libdw.h>

#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "probes/symbols/location.h"

namespace nohalt::symbols {

// What an expression may refer to at one pc.
struct ExpressionContext {
  Dwarf_Attribute* attribute = nullptr;  // the one the operations were read from
  std::function<std::optional<std::vector<Op>>()> frame_base = {};
  std::function<std::optional<std::vector<Op>>()> cfa = {};
  bool at_function_entry = false;  // entry values are then still in their registers
  // How far below the thread pointer the module's thread-local block begins.
  std::optional<std::uint64_t> thread_locals = std::nullopt;
};

[[nodiscard]] Location translate_expression(std::span<const Dwarf_Op> ops,
                                            const ExpressionContext& context);

// For CFA rules and frame bases: an expression that yields an address.
[[nodiscard]] std::optional<std::vector<Op>> translate_address(
    std::span<const Dwarf_Op> ops, const ExpressionContext& context = {});

}  // namespace nohalt::symbols
