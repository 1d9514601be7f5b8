// Texts: behind a pointer up to their end, or of a known length wherever they are.
#include <algorithm>

#include "probes/capture/writer.h"
#include "probes/language/type_rules.h"

namespace nohalt::capture {

using symbols::strip_typedefs;
using R = Register;

void Writer::make_room(Node& node, const Shape& shape) {
  const auto is_its_own = [&](const Lead& lead) {
    const bool text = lead.kind == Lead::Kind::kText || lead.kind == Lead::Kind::kCountedText;
    return text && (language::is_pointer(node.type) || lead.target == strip_typedefs(node.type));
  };
  const bool is_text = shape.leads.size() == 1 && is_its_own(shape.leads[0]);
  auto target = is_text ? new_lead_node(shape.leads[0], shape.leads[0].path) : nullptr;
  if (!target) return;
  node.follows.push_back({shape.leads[0].at, std::move(target)});
  ++texts_waiting_;
}

bool Writer::make_text(Node& node, const Lead& lead) {
  node.kind = Node::Kind::kText;
  const std::uint32_t unit = lead.text.unit;
  node.size = std::max(request_.limits.string_bytes / unit, 1U) * unit;
  node.text_may_go_on = lead.kind == Lead::Kind::kText;
  const auto length = space_.take(4);
  const auto data = length ? space_.take(node.size) : std::nullopt;
  if (!data) return false;
  node.length = *length;
  node.data = *data;
  return true;
}

void Writer::follow_text(Node& node, const Lead& lead, const Source& from, Code::Label done) {
  const StackScope scope(code_);
  const bool counted = lead.kind == Lead::Kind::kCountedText;
  Dest pointer = *from.bytes;
  Dest length = pointer;
  if (counted) {
    pointer = from.bytes->plus(lead.text.pointer_at);
    length = from.bytes->plus(lead.text.length_at);
  }
  if (counted && lead.text.may_be_short) {
    const auto found = from.base ? code_.take_stack(16) : std::nullopt;
    if (!found) {
      node.kind = Node::Kind::kAbsent;
      node.absent = {ValueState::kUnavailable, "it is not in memory as a whole"};
      return;
    }
    pointer = *found;
    length = found->plus(8);
    find_text(lead, from, pointer, length);
  }
  const auto empty = code_.label();
  const std::uint64_t most = node.size / lead.text.unit;  // characters
  write_status(node, status_of(kWhyNull));
  code_.load(Size::k8, R::kR3, pointer);
  if (counted) {
    // An empty view may well point nowhere.
    code_.load(Size::k8, R::kR1, length);
    code_.mov(R::kR0, std::uint64_t{0});
    code_.jump_if(JumpOp::kEqual, R::kR1, 0, empty);
  }
  code_.jump_if(JumpOp::kEqual, R::kR3, 0, done);
  write_status(node, status_of(kWhyUnreadable));
  if (counted && lead.text.behind != 0) code_.alu(AluOp::kAdd, R::kR3, lead.text.behind);
  if (counted) {
    load_text_size(lead, length, most);
    generator_.read(Helper::kReadBytes, body(node.data), node.size, {done, nullptr});
  } else {
    const bool is_wide = lead.text.unit > 1;
    if (is_wide) code_.mov(R::kR4, std::uint64_t{lead.text.unit});
    generator_.read(is_wide ? Helper::kReadWide : Helper::kReadString, body(node.data), node.size,
                    {done, nullptr});
  }
  if (counted) {
    // One more than fits says that there was more.
    const auto whole = code_.label();
    code_.load(Size::k8, R::kR1, length);
    code_.jump_if(JumpOp::kLessEqual, R::kR1, most, whole);
    code_.mov(R::kR0, std::uint64_t{node.size} + 1);
    code_.bind(whole);
  }
  code_.bind(empty);
  code_.store(Size::k4, body(node.length), R::kR0);
  write_status(node, kStatusCaptured);
}

// r4 = how many bytes to read of a text of so many characters. What is too long is cut
// before it is multiplied.
void Writer::load_text_size(const Lead& lead, Dest length, std::uint64_t most) {
  code_.load(Size::k8, R::kR4, length);
  if (lead.text.unit == 1) return;
  const auto fits = code_.label();
  code_.jump_if(JumpOp::kLessEqual, R::kR4, most, fits);
  code_.mov(R::kR4, most);
  code_.bind(fits);
  code_.alu(AluOp::kMul, R::kR4, std::uint64_t{lead.text.unit});
}

// Of a string that may be short: where its characters are, and how many.
void Writer::find_text(const Lead& lead, const Source& from, Dest pointer, Dest length) {
  const auto is_long = code_.label();
  const auto found = code_.label();
  code_.load(Size::k1, R::kR1, from.bytes->plus(lead.text.tag_at));
  code_.jump_if(JumpOp::kAnyBitSet, R::kR1, 1, is_long);
  code_.alu(AluOp::kShiftRight, R::kR1, 1);
  code_.store(Size::k8, length, R::kR1);
  load_address(from, lead.text.short_at);
  code_.store(Size::k8, pointer, R::kR3);
  code_.jump(found);
  code_.bind(is_long);
  code_.copy(pointer, from.bytes->plus(lead.text.pointer_at), 8);
  code_.copy(length, from.bytes->plus(lead.text.length_at), 8);
  code_.bind(found);
}

}  // namespace nohalt::capture
