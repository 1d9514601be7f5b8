// Text in a condition: read no more than decides, then compare by words.
#include <cstring>

#include "probes/capture/generator.h"
#include "probes/language/binder_impl.h"

namespace nohalt::capture {

using language::BinaryOp;
using symbols::strip_typedefs;
using R = Register;

namespace {
// Of the program's 256 bytes of stack.
constexpr std::uint64_t kLongestText = 160;
}  // namespace

Status Generator::text_address(const Expr& text, std::uint64_t& max, const Miss& miss) {
  const Type* real = strip_typedefs(text.type);
  if (real->kind != TypeKind::kArray) {
    NOHALT_CHECK(value(text, miss));
    miss.because(ValueState::kUnreadable, spell(text) + " is null");
    code_.jump_if(JumpOp::kEqual, R::kR0, 0, miss.label);
    code_.mov(R::kR3, R::kR0);
    return {};
  }
  const Spot spot = flatten(text.operand());
  const bool in_memory = spot.variable == nullptr ||
                         std::holds_alternative<symbols::InMemory>(spot.variable->location);
  if (!in_memory) {
    miss.because(ValueState::kUnavailable, "text in registers is not compared");
    code_.jump(miss.label);
    return {};
  }
  if (real->element_count) max = std::min(max, *real->element_count);
  NOHALT_CHECK(address(spot, miss));
  return {};
}

// Falls through where the bytes are those of `wanted`.
void Generator::compare_bytes(const std::string& wanted, Dest bytes, Code::Label different) {
  for (std::size_t at = 0; at < wanted.size();) {
    const std::size_t left = wanted.size() - at;
    const std::size_t step = left >= 4 ? 4 : left >= 2 ? 2 : 1;
    std::uint64_t word = 0;
    std::memcpy(&word, wanted.data() + at, step);
    code_.load(size_of(step), R::kR0, bytes.plus(at));
    code_.jump_if(JumpOp::kNotEqual, R::kR0, word, different);
    at += step;
  }
}

// r3 = where the characters of a text with a length are, and that length in its place.
Status Generator::counted_text(const Expr& text, Dest length, const TextEnd& end,
                               const Miss& miss) {
  const StackScope scope(code_);
  NOHALT_TRY(const Dest pointer, scratch(8));
  const auto layout = language::std_string_layout(text.type);
  Spot spot = flatten(text.operand());
  spot.size = 8;
  const std::uint64_t begin = spot.offset;
  spot.offset = begin + layout.length_offset;
  NOHALT_CHECK(fetch(spot, {0, 8}, length, miss));
  code_.load(Size::k8, R::kR0, length);
  code_.jump_if(end.op, R::kR0, end.size, end.label);
  spot.offset = begin + layout.pointer_offset;
  NOHALT_CHECK(fetch(spot, {0, 8}, pointer, miss));
  code_.load(Size::k8, R::kR3, pointer);
  return {};
}

// The characters of the text, at most `max` of them, go to the buffer. Of a text with a
// length that goes to `length`, of others how many characters were read; `max` may shrink
// to what an array holds. Where the length decides, nothing else is read.
Status Generator::read_text(const Expr& text, Dest buffer, Dest length, std::uint64_t& max,
                            const TextEnd& end, const Miss& miss) {
  if (!language::is_std_string(text.type)) {
    NOHALT_CHECK(text_address(text, max, miss));
    miss.because(ValueState::kUnreadable, "the text cannot be read");
    read(Helper::kReadString, buffer, max, miss);
    code_.jump_if(end.op, R::kR0, end.size, end.label);
    code_.store(Size::k8, length, R::kR0);
    return {};
  }
  NOHALT_CHECK(counted_text(text, length, end, miss));
  miss.because(ValueState::kUnreadable, "the text cannot be read");
  code_.load(Size::k8, R::kR4, length);
  read(Helper::kReadBytes, buffer, max, miss);
  return {};
}

Status Generator::compare_text(const Expr& expr, bool when, Code::Label target, const Miss& miss) {
  const std::string& wanted = expr.text;
  if (wanted.size() > kLongestText) {
    return cannot(
        expr, "a probe compares at most " + std::to_string(kLongestText) + " characters of text");
  }
  if (expr.op == BinaryOp::kContains) return search_text(expr, when, target, miss);
  const bool is_start = expr.op == BinaryOp::kStartsWith;
  const bool same_jumps = (expr.op != BinaryOp::kNotEqual) == when;
  const auto different = code_.label();
  const auto done = code_.label();
  const StackScope scope(code_);
  NOHALT_TRY(const Dest length, scratch(8));
  NOHALT_TRY(const Dest buffer, scratch(wanted.size() + 1));
  // Of a text that must end there, one character more tells whether it does.
  std::uint64_t max = wanted.size() + (is_start ? 0 : 1);
  const TextEnd end{is_start ? JumpOp::kLess : JumpOp::kNotEqual, wanted.size(), different};
  NOHALT_CHECK(read_text(expr.operand(), buffer, length, max, end, miss));
  if (max >= wanted.size()) {
    compare_bytes(wanted, buffer, different);
    code_.jump(same_jumps ? target : done);
  }
  code_.bind(different);
  if (!same_jumps) code_.jump(target);
  code_.bind(done);
  return {};
}

// At each place in turn, since programs have no loops.
Status Generator::search_text(const Expr& expr, bool when, Code::Label target, const Miss& miss) {
  const std::string& wanted = expr.text;
  const auto found = code_.label();
  const auto absent = code_.label();
  const auto done = code_.label();
  const StackScope scope(code_);
  NOHALT_TRY(const Dest length, scratch(8));
  NOHALT_TRY(const Dest buffer, scratch(kLongestText));
  std::uint64_t max = kLongestText;
  const TextEnd end{JumpOp::kLess, wanted.size(), absent};
  NOHALT_CHECK(read_text(expr.operand(), buffer, length, max, end, miss));
  for (std::uint64_t at = 0; at + wanted.size() <= max; ++at) {
    const auto next = code_.label();
    compare_bytes(wanted, buffer.plus(at), next);
    code_.load(Size::k8, R::kR0, length);
    code_.jump_if(JumpOp::kGreaterEqual, R::kR0, at + wanted.size(), found);
    code_.bind(next);
  }
  if (max == kLongestText) {
    const bool has_length = language::is_std_string(expr.operand().type);
    code_.load(Size::k8, R::kR0, length);
    miss.because(ValueState::kUnavailable, "the text is longer than a probe reads to decide");
    code_.jump_if(has_length ? JumpOp::kGreater : JumpOp::kEqual, R::kR0, max, miss.label);
  }
  code_.bind(absent);
  code_.jump(when ? done : target);
  code_.bind(found);
  if (when) code_.jump(target);
  code_.bind(done);
  return {};
}

Status Generator::text_length(const Expr& expr, const Miss& miss) {
  const StackScope scope(code_);
  NOHALT_TRY(const Dest buffer, scratch(kLongestText));
  std::uint64_t max = kLongestText;
  NOHALT_CHECK(text_address(expr.operand(), max, miss));
  miss.because(ValueState::kUnreadable, "the text cannot be read");
  read(Helper::kReadString, buffer, max, miss);
  if (max == kLongestText) {
    miss.because(ValueState::kUnavailable, "the text is longer than a probe reads to decide");
    code_.jump_if(JumpOp::kEqual, R::kR0, max, miss.label);
  }
  return {};
}

}  // namespace nohalt::capture
