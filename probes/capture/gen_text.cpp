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

Status Generator::compare_text(const Expr& expr, bool when, Code::Label target, const Miss& miss) {
  const std::string& wanted = expr.text;
  if (wanted.size() > kLongestText) {
    return cannot(
        expr, "a probe compares at most " + std::to_string(kLongestText) + " characters of text");
  }
  const bool equal_jumps = (expr.op == BinaryOp::kEqual) == when;
  const auto different = code_.label();
  const auto done = code_.label();
  const StackScope scope(code_);
  NOHALT_TRY(const Dest buffer, scratch(wanted.size() + 1));
  const Expr& text = expr.operand();
  if (language::is_std_string(text.type)) {
    const auto layout = language::std_string_layout(text.type);
    Spot spot = flatten(text.operand());
    spot.size = 8;
    const std::uint64_t begin = spot.offset;
    spot.offset = begin + layout.length_offset;
    NOHALT_CHECK(fetch(spot, {0, 8}, buffer, miss));
    code_.load(Size::k8, R::kR0, buffer);
    code_.jump_if(JumpOp::kNotEqual, R::kR0, wanted.size(), different);
    if (!wanted.empty()) {
      spot.offset = begin + layout.pointer_offset;
      NOHALT_CHECK(fetch(spot, {0, 8}, buffer, miss));
      code_.load(Size::k8, R::kR3, buffer);
      miss.because(ValueState::kUnreadable, "the text cannot be read");
      read(Helper::kReadUser, buffer, wanted.size(), miss);
    }
  } else {
    std::uint64_t max = wanted.size() + 1;
    NOHALT_CHECK(text_address(text, max, miss));
    if (max < wanted.size()) {
      code_.jump(different);
    } else {
      miss.because(ValueState::kUnreadable, "the text cannot be read");
      read(Helper::kReadString, buffer, max, miss);
      code_.jump_if(JumpOp::kNotEqual, R::kR0, wanted.size(), different);
    }
  }
  for (std::size_t at = 0; at < wanted.size();) {
    const std::size_t left = wanted.size() - at;
    const std::size_t step = left >= 8 ? 8 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
    std::uint64_t word = 0;
    std::memcpy(&word, wanted.data() + at, step);
    const Size size = step == 8 ? Size::k8 : step == 4 ? Size::k4 : step == 2 ? Size::k2 : Size::k1;
    code_.load(size, R::kR0, buffer.plus(at));
    code_.jump_if(JumpOp::kNotEqual, R::kR0, word, different);
    at += step;
  }
  if (equal_jumps) {
    code_.jump(target);
  } else {
    code_.jump(done);
  }
  code_.bind(different);
  if (!equal_jumps) code_.jump(target);
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
