// Code for the parts of a program: addresses, reads, integer values, decisions.
//
// Registers: r6 the context, r7 the record's body once reserved; results in r0;
// everything else is scratch. What can fail calls Miss: it says why before the
// step that may fail, and jumps to its label where the step did fail.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "probes/capture/code.h"
#include "probes/capture/containers/container.h"
#include "probes/capture/layout.h"
#include "probes/capture/spot.h"
#include "src/base/result.h"

namespace nohalt::capture {

// Where code goes when a value cannot be had.
struct Miss {
  Code::Label label;
  std::function<void(const Why&)> arm;  // may be null

  void because(const Why& why) const {
    if (arm) arm(why);
  }
  void because(ValueState state, const std::string& why) const { because(Why{state, why}); }
};

// Bytes of a value that lie somewhere else than memory.
struct Extent {
  std::uint64_t begin = 0;
  std::uint64_t size = 0;
};

// Objects that nothing may be read of, by their vtable pointers.
struct HiddenObjects {
  Why why;
  std::vector<std::uint64_t> vtables;
};
// Those that an object known by this class may really be.
using HiddenBelow = std::function<std::vector<HiddenObjects>(const Type*)>;

class Generator {
 public:
  Generator(Code& code, LoadBias bias, bool has_thread_pointer, HiddenBelow hidden_below)
      : code_(code),
        bias_(bias),
        has_thread_pointer_(has_thread_pointer),
        hidden_below_(std::move(hidden_below)) {}

  // r3 = the address of the spot; the helper to read there with. Only for
  // spots in memory.
  [[nodiscard]] Result<Helper> address(const Spot& spot, const Miss& miss);
  // The spot's bytes [extent) go to `to`.
  [[nodiscard]] Status fetch(const Spot& spot, Extent extent, Dest to, const Miss& miss);
  // r0 = a scalar, extended to 64 bits as its type says. Not for floats.
  [[nodiscard]] Status value(const Expr& expr, const Miss& miss);
  // Jumps to `target` where the expression's truth is `when`; else falls through.
  [[nodiscard]] Status branch(const Expr& expr, bool when, Code::Label target, const Miss& miss);

  // After r3 = address, this reads `size` bytes to `to`; misses jump.
  void read(Helper helper, Dest to, std::uint64_t size, const Miss& miss);

  // What errors point into; set before generating a condition.
  void set_source(const language::Source* source) { source_ = source; }

 private:
  // gen_fetch.cpp
  [[nodiscard]] Status variable_bytes(const symbols::Location& location, Extent extent, Dest to,
                                      const Miss& miss);
  [[nodiscard]] Status piece_bytes(const symbols::InPieces& pieces, Extent extent, Dest to,
                                   const Miss& miss);
  [[nodiscard]] Status register_bytes(std::uint16_t number, Extent extent, Dest to,
                                      const Miss& miss);
  [[nodiscard]] Status indexes(const Spot& spot, const Miss& miss);
  // Misses where a variant that the spot lies in is not there.
  [[nodiscard]] Status check_variants(const Spot& spot, const Miss& miss);
  [[nodiscard]] Status base_address(const Spot& spot, const Miss& miss);
  // Misses where r0 leads to an object that is of a hidden class, whatever its pointer says.
  [[nodiscard]] Status check_object(const Type* pointer, const Miss& miss);

  // gen_location.cpp: r0 = what the operations leave; Words is their stack.
  struct Words;
  [[nodiscard]] Status operations(const std::vector<symbols::Op>& ops, const Miss& miss);
  [[nodiscard]] Status meet(std::size_t at, Words& words);
  [[nodiscard]] Status pass_over(const symbols::Op& op, std::size_t to, Words& words);
  [[nodiscard]] Status operation(const symbols::Op& op, Words& words, const Miss& miss);
  [[nodiscard]] Status push(Words& words);
  [[nodiscard]] Status copy(std::uint64_t index, Words& words);
  [[nodiscard]] Status permute(symbols::OpKind kind, Words& words);
  [[nodiscard]] Status change_top(const symbols::Op& op, Words& words, const Miss& miss);
  [[nodiscard]] Status combine(symbols::OpKind kind, Words& words, const Miss& miss);
  void thread_pointer(const Miss& miss);
  void limit_shift(AluOp op);

  // gen_value.cpp
  [[nodiscard]] Status load_scalar(const Expr& expr, const Miss& miss);
  [[nodiscard]] Status pair(const Expr& left, const Expr& right, const Miss& miss);
  [[nodiscard]] Status arithmetic(const Expr& expr, const Miss& miss);
  // r0 = r0 / r1 or its remainder; jumps where r1 is zero.
  void divide(AluOp op, bool is_signed, Code::Label by_zero);
  void shift(const Expr& expr, const Miss& miss);
  void normalise(const Type* type);  // r0, to the width and sign of the type
  void extend(std::uint64_t bits, bool is_signed);
  [[nodiscard]] Status truth_value(const Expr& expr, const Miss& miss);
  [[nodiscard]] Status choose(const Expr& expr, const Miss& miss);

  // gen_branch.cpp
  [[nodiscard]] Status compare(const Expr& expr, bool when, Code::Label target, const Miss& miss);

  // gen_float.cpp
  [[nodiscard]] Status compare_floats(const Expr& expr, bool when, Code::Label target,
                                      const Miss& miss);
  [[nodiscard]] Status compare_with_constant(const Expr& variable, language::BinaryOp op,
                                             long double constant, bool when, Code::Label target,
                                             const Miss& miss);
  // r0 = an unsigned number in the order of the floats; NaN jumps to `nan`.
  [[nodiscard]] Status float_key(const Expr& expr, Code::Label nan, const Miss& miss);
  [[nodiscard]] Status float_bits(const Expr& expr, const Miss& miss);

  // gen_text.cpp
  [[nodiscard]] Status compare_text(const Expr& expr, bool when, Code::Label target,
                                    const Miss& miss);
  [[nodiscard]] Status search_text(const Expr& expr, bool when, Code::Label target,
                                   const Miss& miss);
  // Where a text of such a length decides already.
  struct TextEnd {
    JumpOp op;
    std::uint64_t size;
    Code::Label label;
  };
  void compare_bytes(const std::string& wanted, Dest bytes, Code::Label different);
  [[nodiscard]] Status counted_text(const Expr& text, Dest length, const TextEnd& end,
                                    const Miss& miss);
  [[nodiscard]] Status read_text(const Expr& text, Dest buffer, Dest length, std::uint64_t& max,
                                 const TextEnd& end, const Miss& miss);
  [[nodiscard]] Status text_length(const Expr& expr, const Miss& miss);
  // r3 = where the text is; its `max` may shrink to what an array holds.
  [[nodiscard]] Status text_address(const Expr& text, std::uint64_t& max, const Miss& miss);

  // gen_length.cpp: r0 = how many items or characters the object says it has.
  struct Object;
  [[nodiscard]] Status container_length(const Expr& expr, const Miss& miss);
  [[nodiscard]] Status length_of(const Object& object, const containers::Text& text);
  [[nodiscard]] Status length_of(const Object& object, const containers::Container& container);
  [[nodiscard]] Status length_of_bits(const Object& object, const containers::BitRow& row);
  [[nodiscard]] Status length_of_blocks(const Object& object, const containers::Blocks& blocks,
                                        std::uint64_t stride);
  [[nodiscard]] Status object_word(const Object& object, std::uint64_t at, std::uint64_t size);
  [[nodiscard]] Status object_distance(const Object& object, std::uint64_t from, std::uint64_t to,
                                       std::uint64_t stride);
  static void does_not_fit(const Object& object);

  [[nodiscard]] std::unexpected<Error> cannot(const Expr& expr, const std::string& problem,
                                              const std::string& hint = {}) const;
  [[nodiscard]] Result<Dest> scratch(std::uint64_t size);

  Code& code_;
  LoadBias bias_;
  bool has_thread_pointer_;
  HiddenBelow hidden_below_;
  const language::Source* source_ = nullptr;
};

// The state and the reason for a location that says it has none.
[[nodiscard]] Why why_unavailable(const symbols::Unavailable& unavailable);
// A float literal, or one made of an integer literal; nothing for others.
[[nodiscard]] std::optional<long double> constant_float(const Expr& expr);

}  // namespace nohalt::capture
