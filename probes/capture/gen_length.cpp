// How many items a container has, or characters a text: what the object itself says,
// without walking it. What cannot be a length is none.
#include <algorithm>

#include "probes/capture/containers/fields.h"
#include "probes/capture/containers/recognise.h"
#include "probes/capture/generator.h"

namespace nohalt::capture {

using symbols::strip_typedefs;
using R = Register;

// The words of the object that its length is told by, on the stack.
struct Generator::Object {
  const Expr& expr;
  const Spot& spot;
  const Miss& miss;
};

namespace {

// Nothing has so many.
constexpr std::uint64_t kMost = std::uint64_t{1} << 48;

// Of std::array, which is no container here but a struct with an array in it.
std::optional<std::uint64_t> count_of_array(const Type* real) {
  using namespace containers;
  const LibraryName name = library_name(real->name);
  if (name.library == LibraryName::Library::kNone || name.name != "array") return std::nullopt;
  for (const char* member : {"_M_elems", "__elems_"})
    if (const auto field = find_field(real, {member}); field && field->type->element_count)
      return field->type->element_count;
  return std::nullopt;
}

}  // namespace

// r0 = the word of the object at that place.
Status Generator::object_word(const Object& object, std::uint64_t at, std::uint64_t size) {
  const StackScope scope(code_);
  NOHALT_TRY(const Dest word, scratch(8));
  NOHALT_CHECK(fetch(object.spot, {at, size}, word, object.miss));
  code_.load(size_of(size), R::kR0, word);
  return {};
}

// r0 = how far the pointer at `to` is from that at `from`, in items.
Status Generator::object_distance(const Object& object, std::uint64_t from, std::uint64_t to,
                                  std::uint64_t stride) {
  const StackScope scope(code_);
  NOHALT_TRY(const Dest end, scratch(8));
  NOHALT_CHECK(object_word(object, to, 8));
  code_.store(Size::k8, end, R::kR0);
  NOHALT_CHECK(object_word(object, from, 8));
  code_.mov(R::kR1, R::kR0);
  code_.load(Size::k8, R::kR0, end);
  does_not_fit(object);
  code_.jump_if(JumpOp::kLess, R::kR0, R::kR1, object.miss.label);
  code_.alu(AluOp::kSub, R::kR0, R::kR1);
  code_.mov(R::kR1, R::kR0);
  code_.alu(AluOp::kMod, R::kR1, stride);
  code_.jump_if(JumpOp::kNotEqual, R::kR1, 0, object.miss.label);
  code_.alu(AluOp::kDiv, R::kR0, stride);
  return {};
}

void Generator::does_not_fit(const Object& object) {
  object.miss.because(ValueState::kUnavailable,
                      "its parts do not fit together: it is being changed, or is not "
                      "constructed yet");
}

Status Generator::length_of(const Object& object, const containers::Text& text) {
  if (!text.may_be_short) return object_word(object, text.length_at, 8);
  const StackScope scope(code_);
  NOHALT_TRY(const Dest tag, scratch(8));
  const auto is_short = code_.label();
  NOHALT_CHECK(object_word(object, text.tag_at, 1));
  code_.store(Size::k8, tag, R::kR0);
  code_.alu(AluOp::kShiftRight, R::kR0, 1);
  code_.load(Size::k8, R::kR1, tag);
  code_.alu(AluOp::kAnd, R::kR1, 1);
  code_.jump_if(JumpOp::kEqual, R::kR1, 0, is_short);
  NOHALT_CHECK(object_word(object, text.length_at, 8));
  code_.bind(is_short);
  return {};
}

// The full blocks between the first and the last, and what is in these.
Status Generator::length_of_blocks(const Object& object, const containers::Blocks& blocks,
                                   std::uint64_t stride) {
  const StackScope scope(code_);
  NOHALT_TRY(const Dest sum, scratch(8));
  NOHALT_CHECK(object_distance(object, blocks.map_at, blocks.past_map_at, 8));
  code_.alu(AluOp::kMul, R::kR0, blocks.per_block);
  code_.store(Size::k8, sum, R::kR0);
  NOHALT_CHECK(object_distance(object, blocks.past_block_at, blocks.past_at, stride));
  code_.load(Size::k8, R::kR1, sum);
  code_.alu(AluOp::kAdd, R::kR0, R::kR1);
  code_.store(Size::k8, sum, R::kR0);
  NOHALT_CHECK(object_distance(object, blocks.first_block_at, blocks.first_at, stride));
  code_.mov(R::kR1, R::kR0);
  code_.load(Size::k8, R::kR0, sum);
  does_not_fit(object);
  code_.jump_if(JumpOp::kLess, R::kR0, R::kR1, object.miss.label);
  code_.alu(AluOp::kSub, R::kR0, R::kR1);
  return {};
}

Status Generator::length_of_bits(const Object& object, const containers::BitRow& row) {
  if (row.count_at) return object_word(object, *row.count_at, 8);
  const StackScope scope(code_);
  NOHALT_TRY(const Dest sum, scratch(8));
  NOHALT_CHECK(object_distance(object, row.begin_at, *row.end_at, 1));
  code_.alu(AluOp::kShiftLeft, R::kR0, 3);
  code_.store(Size::k8, sum, R::kR0);
  NOHALT_CHECK(object_word(object, row.end_bits_at, 4));
  code_.load(Size::k8, R::kR1, sum);
  code_.alu(AluOp::kAdd, R::kR0, R::kR1);
  return {};
}

Status Generator::length_of(const Object& object, const containers::Container& container) {
  using namespace containers;
  const std::uint64_t stride =
      container.item == nullptr ? 0 : strip_typedefs(container.item)->byte_size;
  std::optional<std::uint64_t> count_at;
  if (const auto* row = std::get_if<Row>(&container.way); row != nullptr && stride != 0) {
    if (row->end_at) return object_distance(object, row->begin_at, *row->end_at, stride);
    if (!row->count_at) code_.mov(R::kR0, row->fixed_count);
    if (!row->count_at) return {};
    count_at = row->count_at;
  } else if (const auto* bits = std::get_if<BitRow>(&container.way)) {
    return length_of_bits(object, *bits);
  } else if (const auto* blocks = std::get_if<Blocks>(&container.way); blocks && stride != 0) {
    if (blocks->is_ranged) return length_of_blocks(object, *blocks, stride);
    count_at = blocks->count_at;
  } else if (const auto* tree = std::get_if<Tree>(&container.way)) {
    count_at = tree->count_at;
  } else if (const auto* chain = std::get_if<Chain>(&container.way)) {
    count_at = chain->count_at;
  }
  if (count_at) return object_word(object, *count_at, 8);
  return cannot(object.expr, "'" + language::type_name(object.spot.type) +
                                 "' does not say how many items it has");
}

Status Generator::container_length(const Expr& expr, const Miss& miss) {
  const Spot spot = flatten(expr.operand().operand());
  const Type* real = strip_typedefs(spot.type);
  const Object object{expr, spot, miss};
  if (const auto text = containers::recognise_text(real))
    NOHALT_CHECK(length_of(object, *text));
  else if (const auto container = containers::recognise(real))
    NOHALT_CHECK(length_of(object, *container));
  else if (const auto count = count_of_array(real))
    code_.mov(R::kR0, *count);
  else
    return cannot(expr, "len() takes text, an array or a container, not a value of type '" +
                            language::type_name(spot.type) + "'");
  does_not_fit(object);
  code_.jump_if(JumpOp::kGreater, R::kR0, kMost, miss.label);
  return {};
}

}  // namespace nohalt::capture
