// A place of an expression, flattened: where it begins (a variable, or a
// pointer's value), a constant distance, and what must be computed at the hit.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "probes/language/bound.h"
#include "src/base/address.h"

namespace nohalt::capture {

using language::Expr;
using language::ExprKind;
using language::Type;
using language::TypeKind;

struct Index {
  const Expr* number = nullptr;
  std::uint64_t stride = 0;
  std::optional<std::uint64_t> count;  // checked at the hit
};

// What the discriminant of an enum with data must be for one of its variants to be there.
struct Guard {
  std::uint64_t at = 0;    // where the discriminant is, in the value's bytes
  std::uint64_t size = 0;  // 1, 2, 4 or 8
  std::vector<std::uint64_t> values = {};
  bool is_one_of = true;  // else none of them
};
// When the member of an enum with data is there: of no values means always. Absent:
// the member may be another's bytes, and nothing says so.
[[nodiscard]] std::optional<Guard> guard_of(const Type& real, const symbols::Member& member);

// A variant of an enum that a place lies in.
struct InVariant {
  std::optional<Guard> guard;   // `at` counts from the place's base
  std::size_t first_index = 0;  // of the place's indexes those before lie within the variant
  std::string name;
};

struct Spot {
  const symbols::Variable* variable = nullptr;  // either this
  const Expr* pointer = nullptr;                // or this (a pointer's value)
  std::uint64_t offset = 0;                     // bytes from there
  std::vector<Index> indexes;
  std::vector<InVariant> variants;  // the innermost first
  std::uint64_t size = 0;
  std::uint32_t bit_offset = 0;
  std::uint32_t bit_size = 0;  // 0: no bitfield
  const Type* type = nullptr;
};

[[nodiscard]] Spot flatten(const Expr& place);

// An address that is one register plus a constant, or a constant alone.
struct SimpleAddress {
  std::optional<std::uint16_t> number;  // DWARF register
  std::uint64_t offset = 0;
};
[[nodiscard]] std::optional<SimpleAddress> simple_address(const std::vector<symbols::Op>& ops,
                                                          LoadBias bias);

// Offset of a general register in the hit's context; nothing for others.
[[nodiscard]] std::optional<std::int16_t> context_offset(std::uint16_t dwarf_register);

// Equal for spots whose base address is the same at any one hit; empty where
// that cannot be said.
[[nodiscard]] std::string base_key(const Spot& spot, LoadBias bias);
// What base_key leaves out: the constant distance from that base.
[[nodiscard]] std::uint64_t base_distance(const Spot& spot, LoadBias bias);

// An expression as a person would write it, for messages ("ctx->user").
[[nodiscard]] std::string spell(const Expr& expr);

// Each step of the path to a place, outermost first: "ctx", "ctx.user", ...
struct PathStep {
  std::string path;
  const Type* type = nullptr;
};
[[nodiscard]] std::vector<PathStep> path_steps(const Expr& place);

}  // namespace nohalt::capture
