// A record is made of the bytes, as a program would have made it at the hit, so
// that one decoder serves both.
#include "probes/stacks/locals/value.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "probes/capture/hidden.h"
#include "probes/capture/holes.h"
#include "probes/capture/shape.h"
#include "probes/language/type_rules.h"
#include "probes/records/values/node_reader.h"
#include "probes/stacks/locals/bytes.h"

namespace nohalt::locals {

using capture::Lead;
using capture::Node;
using capture::Shape;
using capture::ValueState;
using capture::Why;
using symbols::strip_typedefs;
using symbols::Type;

namespace {

class Record {
 public:
  Record(const stacks::HitMemory& memory, const Rules& rules)
      : memory_(memory), rules_(rules), leads_left_(rules.limits.pointers) {}

  [[nodiscard]] std::vector<std::byte> take_body() { return std::move(body_); }

  // `get(size)` fetches the bytes of a value of this type.
  template <class Get>
  Node node_of(const Type* type, const std::string& path, std::uint32_t depth, Get get) {
    Node node;
    node.type = type;
    const std::uint64_t whole = strip_typedefs(type)->byte_size;
    if (auto why = capture::why_step_hidden(path, type, rules_.redaction))
      return absent(std::move(node), *std::move(why));
    if (language::is_empty_type(type)) {
      node.kind = Node::Kind::kConstant;
      return node;
    }
    if (whole == 0) {
      return absent(std::move(node),
                    {ValueState::kUnavailable,
                     "the size of '" + language::type_name(type) + "' is not known"});
    }
    const std::uint64_t size = std::min<std::uint64_t>(whole, rules_.limits.aggregate_bytes);
    Bytes bytes = get(size);
    const Shape shape =
        capture::shape_of(type, path, {rules_.redaction, size, rules_.limits.items, depth > 1});
    node.holes = std::move(bytes.holes);
    node.holes.insert(node.holes.end(), shape.holes.begin(), shape.holes.end());
    capture::tidy(node.holes);
    if (capture::gaps_between(node.holes, size).empty()) {
      Why why = node.holes.front().why;
      return absent(std::move(node), std::move(why));
    }
    node.kind = Node::Kind::kBytes;
    node.size = static_cast<std::uint32_t>(size);
    node.data = append(bytes.data);
    for (const Lead& lead : shape.leads) follow(node, lead, bytes.data, depth);
    return node;
  }

 private:
  static Node absent(Node node, Why why) {
    node.kind = Node::Kind::kAbsent;
    node.absent = std::move(why);
    return node;
  }

  std::uint32_t append(std::span<const std::byte> bytes) {
    const auto at = static_cast<std::uint32_t>(body_.size());
    body_.insert(body_.end(), bytes.begin(), bytes.end());
    return at;
  }

  static bool is_lost(const Node& node, const Lead& lead) {
    return std::ranges::any_of(node.holes, [&](const capture::Hole& hole) {
      return hole.begin < lead.at + lead.size() && lead.at < hole.end;
    });
  }

  static std::uint64_t word_at(std::span<const std::byte> data, std::uint64_t at) {
    std::uint64_t word = 0;
    std::memcpy(&word, data.data() + at, sizeof word);
    return word;
  }

  void follow(Node& node, const Lead& lead, std::span<const std::byte> data, std::uint32_t depth) {
    if (leads_left_ == 0 || lead.at + lead.size() > data.size() || is_lost(node, lead)) return;
    std::optional<Node> target;
    if (lead.kind == Lead::Kind::kRecord)
      target = record_at({word_at(data, lead.at)}, lead, depth);
    else if (lead.kind == Lead::Kind::kText)
      target = text_at({word_at(data, lead.at)}, lead, rules_.limits.string_bytes, false);
    else if (lead.kind == Lead::Kind::kCountedText)
      target = counted_text(lead, data.subspan(lead.at, lead.size()));
    else
      target = not_looked_into(lead);
    if (!target) return;
    --leads_left_;
    node.follows.push_back({lead.at, std::make_unique<Node>(std::move(*target))});
  }

  static Node not_looked_into(const Lead& lead) {
    Node node;
    node.type = lead.target;
    return absent(std::move(node), {ValueState::kUnavailable, "not looked into in a caller"});
  }

  // `data` is the string itself; a short one of libc++ has its characters in it.
  std::optional<Node> counted_text(const Lead& lead, std::span<const std::byte> data) {
    const auto& text = lead.text;
    if (text.may_be_short) {
      const auto tag = std::to_integer<std::uint32_t>(data[text.tag_at]);
      const std::uint32_t length = (tag >> 1U) * text.unit;
      const bool is_short = (tag & 1U) == 0;
      if (is_short && text.short_at + length > data.size()) return not_looked_into(lead);
      if (is_short) return text_node(lead, data.subspan(text.short_at, length), length, true);
    }
    return text_at({word_at(data, text.pointer_at)}, lead, word_at(data, text.length_at), true);
  }

  std::optional<Node> record_at(RuntimeAddress to, const Lead& lead, std::uint32_t depth) {
    std::byte first{};
    if (memory_.read(to, std::span(&first, 1)) == 0) return std::nullopt;
    return node_of(lead.target, lead.path, depth - 1,
                   [&](std::uint64_t size) { return bytes_at(to, size, memory_); });
  }

  // How many of the bytes come before the first character that is null.
  static std::size_t end_of_text(std::span<const std::byte> text, std::size_t unit) {
    std::size_t at = 0;
    const auto is_zero = [](std::byte byte) { return byte == std::byte{0}; };
    while (at + unit <= text.size() && !std::ranges::all_of(text.subspan(at, unit), is_zero))
      at += unit;
    return at;
  }

  // Characters up to a null, or, of a std::string, `length` of them.
  std::optional<Node> text_at(RuntimeAddress to, const Lead& lead, std::uint64_t length,
                              bool is_counted) {
    const std::uint32_t unit = lead.text.unit;
    const std::uint64_t most = std::max(rules_.limits.string_bytes / unit, 1U);
    std::vector<std::byte> text(std::min(length, most) * unit);
    const std::size_t known = memory_.read(to, text);
    Node node;
    node.type = lead.target;
    // Of a char* the address says as much; a std::string is nothing but its text.
    if (!is_counted && known == 0) return std::nullopt;
    if (is_counted && known < text.size())
      return absent(std::move(node),
                    {ValueState::kUnavailable, "lies outside of the captured stack"});
    text.resize(known / unit * unit);
    auto shown = static_cast<std::uint32_t>(is_counted ? text.size() : end_of_text(text, unit));
    // Hidden bytes are zeros, so that a text ends there at the latest.
    if (!memory_.hidden(to, std::min<std::uint64_t>(shown + unit, known)).empty())
      return absent(std::move(node), {ValueState::kRedacted, "hidden by policy"});
    if (is_counted && length > most) ++shown;
    return text_node(lead, text, shown, is_counted);
  }

  Node text_node(const Lead& lead, std::span<const std::byte> text, std::uint32_t shown,
                 bool is_counted) {
    static constexpr std::byte kNothing{};
    if (text.empty()) text = std::span(&kNothing, 1);
    Node node;
    node.type = lead.target;
    node.kind = Node::Kind::kText;
    node.size = static_cast<std::uint32_t>(text.size());
    node.text_may_go_on = !is_counted;
    node.data = append(text);
    node.length = append(std::as_bytes(std::span(&shown, 1)));
    return node;
  }

  const stacks::HitMemory& memory_;
  const Rules& rules_;
  std::uint32_t leads_left_;
  std::vector<std::byte> body_;
};

}  // namespace

ValueRecord record_of(const symbols::Variable& variable, const stacks::Frame& frame,
                      const stacks::HitMemory& memory, const Rules& rules) {
  Record record(memory, rules);
  ValueRecord made;
  if (auto why = capture::why_hidden(variable, rules.redaction)) {
    made.node.type = variable.type;
    made.node.absent = *std::move(why);
    return made;
  }
  made.node =
      record.node_of(variable.type, variable.name, rules.limits.depth, [&](std::uint64_t size) {
        VariableBytes read = bytes_of(variable, size, frame, memory);
        made.is_entry_value = read.is_entry_value;
        return std::move(read.bytes);
      });
  made.body = record.take_body();
  return made;
}

values::Value value_of(const symbols::Variable& variable, const stacks::Frame& frame,
                       const stacks::HitMemory& memory, const Rules& rules) {
  const ValueRecord record = record_of(variable, frame, memory, rules);
  values::Value value = values::NodeReader(record.body, rules.limits.items).read(record.node);
  if (record.is_entry_value && value.state == ValueState::kExact) value.why = kEntryValue;
  return value;
}

}  // namespace nohalt::locals
