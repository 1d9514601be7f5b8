// What was captured of a text is judged as the bytes that it is: those behind a null and
// those that are no letters too.
#include <algorithm>
#include <optional>
#include <utility>

#include "probes/records/values/decode.h"
#include "probes/records/values/node_reader.h"
#include "src/output/redact.h"
#include "src/session/shown_value.h"
#include "src/session/slices.h"

namespace nohalt::session {

namespace {

using language::Expr;
using language::Type;
using symbols::strip_typedefs;

// What was captured of a text.
struct Seen {
  std::string text;
  std::uint64_t size = 0;  // bytes of it, in the target
  bool is_cut = false;
};

std::optional<Seen> seen_behind(const values::Value& pointer, const Type* type) {
  if (pointer.target.empty() || pointer.target[0].kind != values::Value::Kind::kText)
    return std::nullopt;
  const values::Value& text = pointer.target[0];
  const std::uint64_t unit = language::text_unit(language::pointee(type));
  const auto letters = std::ranges::count_if(
      text.text, [unit](char byte) { return unit == 1 || (byte & 0xc0) != 0x80; });
  const bool is_cut = text.state != values::ValueState::kExact;
  const auto size = (static_cast<std::uint64_t>(letters) + (is_cut ? 0 : 1)) * unit;
  return Seen{text.text, size, is_cut};
}

std::optional<Seen> seen_of(const Slice& slice, const values::Value& value,
                            const capture::CaptureLayout& layout, std::span<const std::byte> body) {
  const Expr& root = *slice.text->root;
  if (language::is_pointer(root.type)) return seen_behind(value, root.type);
  const auto bytes = values::bytes_of(layout, body, root);
  if (!bytes) return std::nullopt;
  const bool is_cut = slice.may_go_on || bytes->size() < strip_typedefs(root.type)->byte_size;
  return Seen{values::as_text(*bytes), bytes->size(), is_cut};
}

bool knows(const policy::ValueRules& rules, const Slice& slice, const Seen& seen,
           const values::NamedValue& text) {
  const auto ending = seen.is_cut ? policy::Ending::kCut : policy::Ending::kWhole;
  if (!rules.redact(seen.text, ending).counts.empty()) return true;
  // Wide characters, and the members of a union.
  const Type* type = slice.text->root->type;
  const bool is_bytes =
      language::pointee(type) != nullptr && language::text_unit(language::pointee(type)) == 1;
  return !is_bytes && output::is_hidden(shown_value(text, false), rules);
}

bool lies_in(const Part& part, const Seen& seen, const values::Value* index) {
  std::uint64_t begin = part.begin;
  if (part.index != nullptr) {
    const bool is_known =
        index != nullptr && index->is_there() && index->state == values::ValueState::kExact;
    std::uint64_t distance = 0;
    if (!is_known || __builtin_mul_overflow(index->bits, part.stride, &distance) ||
        __builtin_add_overflow(begin, distance, &begin))
      return false;
  }
  return begin <= seen.size && part.size <= seen.size - begin;
}

}  // namespace

void hide_part(values::Value& value, std::string why) {
  values::Value hidden;
  hidden.type = value.type;
  hidden.state = values::ValueState::kRedacted;
  hidden.why = std::move(why);
  hidden.rule = "part";
  value = std::move(hidden);
}

void hide_slices(const std::vector<Slice>& slices, const capture::CaptureLayout& layout,
                 std::span<const std::byte> body, std::vector<values::NamedValue>& values,
                 const policy::ValueRules& rules) {
  const std::size_t asked = values.size() - beside(slices).size();
  std::size_t next = asked;
  for (const Slice& slice : slices) {
    const values::NamedValue& text = values[next++];
    const auto seen = seen_of(slice, text.value, layout, body);
    const bool is_known = seen && knows(rules, slice, *seen, text);
    for (const Part& part : slice.parts) {
      const values::Value* index = part.index != nullptr ? &values[next++].value : nullptr;
      values::Value& value = values[asked - 1 - part.from_last].value;
      if (!value.is_there()) continue;
      if (slice.is_number) {  // one that could not be read chose nothing
        if (is_known) hide_part(value, "which of many it is tells a number that a rule hides");
      } else if (is_known)
        hide_part(value, "it is a part of what a rule hides");
      else if (!seen || !lies_in(part, *seen, index))
        hide_part(value, "what it is a part of cannot be seen whole");
    }
  }
  values.resize(asked);
}

}  // namespace nohalt::session
