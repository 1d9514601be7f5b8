// Register numbers: DWARF's order differs from that of instruction encoding in
// the first eight (x86-64 psABI, figure 3.36; SDM volume 2, table 2-2).
#include "probes/engines/inline/same_values.h"

#include <algorithm>
#include <array>

namespace nohalt::engines {

namespace {

using symbols::Computed;
using symbols::ImplicitBytes;
using symbols::InMemory;
using symbols::InPieces;
using symbols::InRegister;
using symbols::Location;
using symbols::Op;
using symbols::OpKind;
using symbols::Piece;
using symbols::Unavailable;

bool same_op(const Op& a, const Op& b) {
  return a.kind == b.kind && a.number == b.number && a.size == b.size && a.value == b.value;
}

bool same_ops(std::span<const Op> a, std::span<const Op> b) {
  return std::ranges::equal(a, b, same_op);
}

bool same_piece(const Piece& a, const Piece& b) {
  return a.bit_size == b.bit_size && a.bit_offset == b.bit_offset &&
         std::ranges::equal(a.location, b.location, same_location);
}

// One overload a kind of location; why one is unavailable does not matter.
bool same(const Unavailable&, const Unavailable&) { return true; }
bool same(const InRegister& a, const InRegister& b) { return a.number == b.number; }
bool same(const Computed& a, const Computed& b) { return same_ops(a.value, b.value); }
bool same(const ImplicitBytes& a, const ImplicitBytes& b) { return a.bytes == b.bytes; }
bool same(const InMemory& a, const InMemory& b) {
  return a.on_own_frame == b.on_own_frame && a.in_static_data == b.in_static_data &&
         same_ops(a.address, b.address);
}
bool same(const InPieces& a, const InPieces& b) {
  return std::ranges::equal(a.pieces, b.pieces, same_piece);
}

class Uses {
 public:
  void operator()(const Unavailable&) {}
  void operator()(const ImplicitBytes&) {}
  void operator()(const InRegister& at) { add(at.number); }
  void operator()(const InMemory& at) { add_all(at.address); }
  void operator()(const Computed& at) { add_all(at.value); }
  void operator()(const InPieces& at) {
    for (const Piece& piece : at.pieces)
      for (const Location& part : piece.location) std::visit(*this, part);
  }
  RegistersUsed used;

 private:
  void add(std::uint16_t dwarf_number) {
    constexpr std::array<std::uint8_t, 16> kGeneral = {0, 2, 1,  3,  6,  7,  5,  4,
                                                       8, 9, 10, 11, 12, 13, 14, 15};
    if (dwarf_number < kGeneral.size())
      used.general = static_cast<std::uint16_t>(used.general | (1U << kGeneral[dwarf_number]));
    else
      used.vector = true;
  }
  void add_all(std::span<const Op> ops) {
    for (const Op& op : ops)
      if (op.kind == OpKind::kRegister) add(op.number);
  }
};

bool same_variable(const symbols::Variable& a, const symbols::Variable& b) {
  return a.name == b.name && a.type == b.type && a.scope_depth == b.scope_depth &&
         a.declared_line == b.declared_line && same_location(a.location, b.location);
}

}  // namespace

bool same_location(const Location& a, const Location& b) {
  return std::visit(
      [](const auto& one, const auto& other) {
        if constexpr (std::is_same_v<decltype(one), decltype(other)>)
          return same(one, other);
        else
          return false;
      },
      a, b);
}

RegistersUsed registers_used(const Location& location) {
  Uses uses;
  std::visit(uses, location);
  return uses.used;
}

bool same_values(std::span<const symbols::Variable> at_first,
                 std::span<const symbols::Variable> at_other,
                 const inline_sites::Alternative& other) {
  const auto overwritten = [&](const symbols::Variable& variable) {
    const RegistersUsed used = registers_used(variable.location);
    return (used.general & other.general_written) != 0 || (used.vector && other.vector_written);
  };
  return std::ranges::equal(at_first, at_other, same_variable) &&
         std::ranges::none_of(at_first, overwritten);
}

bool sees_same_values(const symbols::DebugInfo& info, LinkAddress first,
                      const inline_sites::Alternative& other) {
  const auto at_first = info.variables_at(first);
  const auto at_other = info.variables_at(other.pc);
  return at_first && at_other && same_values(*at_first, *at_other, other);
}

}  // namespace nohalt::engines
