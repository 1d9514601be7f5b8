// What a record holds, written the way the containers' subject writes what it has: texts in
// quotes, structs and pairs `{a, b}`, containers `[a, b]` (with `...` where there are more),
// `none`, `some x`, `#1 x`, `-> x uses 2`. Read straight from the layout, so that the layout
// is tested and not its decoder.
#pragma once

#include <cstring>
#include <span>
#include <string>

#include "probes/capture/layout.h"
#include "probes/symbols/types.h"

namespace nohalt::test {

class FlatText {
 public:
  explicit FlatText(std::span<const std::byte> body) : body_(body) {}

  [[nodiscard]] std::string of(const capture::Node& node) const {
    const std::string gone = missing(node);
    if (!gone.empty()) return gone;
    if (node.kind == capture::Node::Kind::kText)
      return quoted(node.data, std::min(number(node.length, 4), std::uint64_t{node.size}));
    if (node.kind == capture::Node::Kind::kItems) return items(node);
    return at(node, node.type, 0);
  }
  [[nodiscard]] std::uint64_t number(std::uint32_t offset, std::size_t size) const {
    std::uint64_t bits = 0;
    std::memcpy(&bits, body_.data() + offset, size);
    return bits;
  }

 private:
  using Kind = symbols::TypeKind;

  [[nodiscard]] std::string quoted(std::uint32_t data, std::uint64_t length) const {
    return '"' + std::string(reinterpret_cast<const char*>(body_.data()) + data, length) + '"';
  }
  [[nodiscard]] std::string missing(const capture::Node& node) const {
    if (node.kind == capture::Node::Kind::kAbsent) return "<" + node.absent.text + ">";
    if (node.status == capture::kNowhere) return "";
    const auto status = number(node.status, 1);
    if (status == capture::kStatusCaptured) return "";
    const std::size_t why = status - capture::kStatusFirstWhy;
    return why < node.whys.size() ? "<" + node.whys[why].text + ">" : "<damaged>";
  }
  [[nodiscard]] std::string at(const capture::Node& node, const symbols::Type* type,
                               std::uint64_t offset) const {
    const symbols::Type* real = symbols::strip_typedefs(type);
    for (const capture::Follow& follow : node.follows) {
      const bool is_it = follow.at == offset && symbols::strip_typedefs(follow.node->type) == real;
      if (is_it) return of(*follow.node);
    }
    for (const capture::Hole& hole : node.holes)
      if (hole.begin <= offset && offset < hole.end) return "<" + hole.why.text + ">";
    if (real->kind == Kind::kStruct) return structure(node, real, offset);
    if (offset + real->byte_size > node.size || real->byte_size > 8) return "<cut>";
    std::uint64_t bits = number(node.data + static_cast<std::uint32_t>(offset), real->byte_size);
    if (real->is_signed && real->byte_size < 8) {
      const unsigned unused = 64 - 8 * static_cast<unsigned>(real->byte_size);
      bits = static_cast<std::uint64_t>(static_cast<std::int64_t>(bits << unused) >> unused);
    }
    return std::to_string(static_cast<std::int64_t>(bits));
  }
  [[nodiscard]] std::string structure(const capture::Node& node, const symbols::Type* real,
                                      std::uint64_t offset) const {
    std::string text;
    for (const symbols::Member& member : real->members) {
      if (member.is_static || member.is_base_class) continue;
      text += (text.empty() ? "" : ", ") + at(node, member.type, offset + member.byte_offset);
    }
    return "{" + text + "}";
  }
  [[nodiscard]] std::string items(const capture::Node& node) const {
    const capture::Items& items = *node.items;
    using Items = capture::Items::Kind;
    const std::uint64_t walked = number(items.walked, 4);
    const std::uint64_t count = items.count == capture::kNowhere ? walked : number(items.count, 8);
    if (items.kind == Items::kOptional) return walked == 0 ? "none" : "some " + of(items.slots[0]);
    if (items.kind == Items::kVariant) {
      return "#" + std::to_string(count) + " " +
             (count < items.slots.size() ? of(items.slots[count]) : "nothing");
    }
    if (items.kind == Items::kPointer) return pointer(items, count, walked);
    std::string text;
    for (std::uint64_t i = 0; i < walked; ++i) {
      text += i > 0 ? ", " : "";
      if (items.kind == Items::kBits)
        text += std::to_string(
            number(items.bits + static_cast<std::uint32_t>(i / 8), 1) >> (i % 8) & 1);
      else
        text += of(items.slots.at(i));
    }
    const std::uint64_t end = number(items.end, 1);
    if (end == capture::kEndMore) text += text.empty() ? "..." : ", ...";
    if (end >= capture::kEndFirstWhy)
      text += (text.empty() ? "<" : ", <") + node.whys.at(end - capture::kEndFirstWhy).text + ">";
    return "[" + text + "]";
  }
  [[nodiscard]] std::string pointer(const capture::Items& items, std::uint64_t address,
                                    std::uint64_t walked) const {
    if (address == 0) return "null";
    const bool counted = items.uses != capture::kNowhere;
    if (counted && number(items.uses, 8) == 0) return "expired";
    return "-> " + (walked > 0 ? of(items.slots[0]) : "...") +
           (counted ? " uses " + std::to_string(number(items.uses, 8)) : "");
  }

  std::span<const std::byte> body_;
};

}  // namespace nohalt::test
