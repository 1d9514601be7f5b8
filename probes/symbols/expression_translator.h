// A DWARF expression is a postfix program (DWARF 5, sections 2.5 and 2.6), and
// so is a Location: translation goes operation by operation. Four things are
// worked out on the way:
//  - what it describes: memory, a register, a value, or pieces of these;
//  - the type of each stack entry. An untyped entry is a 64-bit word. A typed
//    one (DW_OP_convert, DW_OP_regval_type and kin) is kept as that word,
//    extended by its type's sign, and brought back to its size after each
//    operation, so that the plain 64-bit operations give the typed result;
//  - where its branches lead. They may only lead forward, and where two ways
//    meet, the stack must be of the same types on both;
//  - whether the address is plainly in this frame or in static data, where the
//    engine may read without asking the kernel.
// What cannot be said in a Location gives Unavailable, which names it. Internal to
// expression*.cpp, each of which translates one kind of operations.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "probes/symbols/expression.h"

namespace nohalt::symbols {

inline constexpr std::uint64_t kLastGeneralRegister = 16;
inline constexpr std::uint64_t kLastVectorRegister = 32;

struct ValueType {
  std::uint8_t size = 8;
  bool is_signed = false;
  bool is_generic = true;

  friend bool operator==(const ValueType&, const ValueType&) = default;
};

[[nodiscard]] inline Unavailable unsupported(std::string detail) {
  return {UnavailableWhy::kUnsupported, std::move(detail)};
}

class Translator {
 public:
  explicit Translator(const ExpressionContext& context) : context_(context) {}

  Location run(std::span<const Dwarf_Op> ops);
  // The program that leaves an address, or absent.
  std::optional<std::vector<Op>> run_address(std::span<const Dwarf_Op> ops);

 private:
  void step(const Dwarf_Op& op);
  bool step_constant(const Dwarf_Op& op);
  bool step_register(const Dwarf_Op& op);
  bool step_stack(const Dwarf_Op& op);
  bool step_arithmetic(const Dwarf_Op& op);
  bool step_typed(const Dwarf_Op& op);
  bool step_branch(const Dwarf_Op& op);
  bool step_special(const Dwarf_Op& op);

  void emit(OpKind kind, std::uint64_t value = 0) {
    program_.push_back({.kind = kind, .value = value});
  }
  void push_constant(std::uint64_t value, ValueType type = {});
  void push_register(std::uint64_t number);
  void push_plus(std::uint64_t addend);
  void push_base(const std::function<std::optional<std::vector<Op>>()>& base, const char* what);
  void push_address(const Dwarf_Op& op, bool is_address);
  void push_entry_value(const Dwarf_Op& op);
  void push_thread_local();
  void copy_entry(OpKind kind, std::size_t index);
  void dereference(std::uint64_t size);
  void binary(OpKind kind);
  void compare(OpKind kind);
  void divide();
  void modulo();
  void shift_right(bool arithmetic);
  void normalize();
  void convert(const Dwarf_Op& op);
  void push_typed(const Dwarf_Op& op, ValueType type);
  void branch(OpKind kind, const Dwarf_Op& op);
  void meet(Dwarf_Word offset);
  std::optional<ValueType> type_of(const Dwarf_Op& op);
  void give_up(Unavailable why) {
    if (!failure_) failure_ = std::move(why);
  }
  void give_up_malformed() { give_up(unsupported("malformed expression")); }
  bool need(std::size_t entries);

  Location finish();
  Location finish_address();
  void add_piece(std::uint64_t bits, std::uint64_t offset);
  void reset();

  // A branch whose target was not reached yet.
  struct Pending {
    std::size_t at = 0;     // its place in the program
    Dwarf_Word target = 0;  // offset in the expression
    std::vector<ValueType> stack;
  };

  const ExpressionContext& context_;
  std::vector<Op> program_;
  std::vector<ValueType> stack_;
  std::vector<Pending> pending_;
  bool reachable_ = true;  // not behind a skip
  std::optional<Unavailable> failure_;
  std::optional<Location> simple_;  // a register, bytes, or stack value
  bool starts_on_frame_ = false;
  std::vector<Piece> pieces_;
};

}  // namespace nohalt::symbols
