// The type says what the bytes mean; the node says which of them are there.
#include "probes/records/values/node_reader.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "probes/language/binder_impl.h"

namespace nohalt::values {

using symbols::Member;
using symbols::strip_typedefs;
using symbols::Type;
using symbols::TypeKind;

Why damaged() { return {ValueState::kUnavailable, "the record is damaged"}; }

Value shell(const Type* type, Value::Kind kind) {
  Value value;
  value.kind = kind;
  value.type = language::type_name(type);
  value.state = ValueState::kExact;
  value.byte_size = static_cast<std::uint32_t>(strip_typedefs(type)->byte_size);
  return value;
}

void truncate(Value& value, std::string why) {
  value.state = ValueState::kTruncated;
  value.why = std::move(why);
}

std::string as_text(std::span<const std::byte> bytes) {
  std::string text(bytes.size(), '\0');
  std::transform(bytes.begin(), bytes.end(), text.begin(),
                 [](std::byte b) { return static_cast<char>(b); });
  return text;
}

Value absent(const Type* type, const Why& why) {
  Value value;
  value.type = language::type_name(type);
  value.state = why.state;
  value.why = why.text;
  value.rule = why.rule;
  value.is_dropped = why.is_dropped;
  return value;
}

std::uint64_t little_endian(std::span<const std::byte> bytes) {
  std::uint64_t bits = 0;
  std::memcpy(&bits, bytes.data(), std::min<std::size_t>(bytes.size(), sizeof bits));
  return bits;
}

long double float_from(std::span<const std::byte> bytes) {
  if (bytes.size() == 4)
    return std::bit_cast<float>(static_cast<std::uint32_t>(little_endian(bytes)));
  if (bytes.size() == 8) return std::bit_cast<double>(little_endian(bytes));
  // x87 extended: ten bytes of sixteen count. Bit patterns that no x87
  // computes (unnormals) have no value.
  long double number = 0;
  std::array<std::byte, sizeof number> copy{};
  std::copy_n(bytes.begin(), std::min<std::size_t>(bytes.size(), 10), copy.begin());
  std::memcpy(&number, copy.data(), sizeof number);
  return number;
}

std::string enum_name(const Type* type, std::uint64_t bits) {
  const Type* real = strip_typedefs(type);
  for (const symbols::Enumerator& candidate : real->enumerators) {
    if (language::fit_integer(static_cast<std::uint64_t>(candidate.value), real) == bits) {
      return candidate.name;
    }
  }
  const auto is_flag = [](const symbols::Enumerator& one) {
    return one.value >= 0 && std::popcount(static_cast<std::uint64_t>(one.value)) <= 1;
  };
  if (!std::ranges::all_of(real->enumerators, is_flag)) return {};
  std::string name;
  std::uint64_t left = bits;
  for (const symbols::Enumerator& candidate : real->enumerators) {
    const auto flag = static_cast<std::uint64_t>(candidate.value);
    if ((left & flag) == 0) continue;
    name += (name.empty() ? "" : " | ") + candidate.name;
    left &= ~flag;
  }
  if (name.empty() || left == 0) return name;
  std::string digits;
  for (std::uint64_t rest = left; rest != 0; rest >>= 4) {
    digits.insert(digits.begin(), "0123456789abcdef"[rest & 15]);
  }
  return name + " | 0x" + digits;
}

std::span<const std::byte> NodeReader::bytes(std::uint32_t offset, std::uint64_t size) const {
  if (offset > body_.size() || size > body_.size() - offset) return {};
  return body_.subspan(offset, size);
}

std::span<const std::byte> NodeReader::node_bytes(const Node& node) const {
  if (node.kind == Node::Kind::kConstant) return std::as_bytes(std::span(node.constant));
  return bytes(node.data, node.size);
}

std::optional<std::span<const std::byte>> NodeReader::whole_bytes(const Node& node) const {
  const bool has_bytes = node.kind == Node::Kind::kBytes || node.kind == Node::Kind::kConstant;
  if (!has_bytes || missing(node) || !node.holes.empty()) return std::nullopt;
  const auto there = node_bytes(node);
  return there.empty() ? std::nullopt : std::optional(there);
}

std::optional<Why> NodeReader::missing(const Node& node) const {
  if (node.kind == Node::Kind::kAbsent) return node.absent;
  if (node.kind == Node::Kind::kConstant || node.status == capture::kNowhere) return std::nullopt;
  const auto status = bytes(node.status, 1);
  if (status.empty()) return damaged();
  const auto code = static_cast<std::uint8_t>(status[0]);
  if (code == capture::kStatusCaptured) return std::nullopt;
  const std::size_t index = static_cast<std::size_t>(code) - capture::kStatusFirstWhy;
  if (code < capture::kStatusFirstWhy || index >= node.whys.size()) return damaged();
  return node.whys[index];
}

Value NodeReader::read(const Node& node) { return read_inner(node, 0); }

Value NodeReader::read_inner(const Node& node, int nesting) {
  if (const auto why = missing(node)) return absent(node.type, *why);
  if (node.kind == Node::Kind::kText) return read_text(node);
  if (node.kind == Node::Kind::kItems) return read_items(node, nesting);
  const bool is_empty = strip_typedefs(node.type)->byte_size == 0;
  if (!is_empty && node_bytes(node).empty()) return absent(node.type, damaged());
  if (node.bit_size != 0) return read_scalar(node, node.type, 0, node.bit_offset, node.bit_size);
  return read_at(node, node.type, 0, nesting);
}

std::span<const std::byte> NodeReader::scalar_bytes(const Node& node, Why& why) const {
  why = damaged();
  if (const auto gone = missing(node)) {
    why = *gone;
    return {};
  }
  const std::uint64_t size = std::min<std::uint64_t>(strip_typedefs(node.type)->byte_size, 16);
  const auto all = node_bytes(node);
  const std::uint64_t wanted = node.bit_size != 0 ? all.size() : size;
  if (const auto gone = lost(node, 0, wanted)) {
    why = *gone;
    return {};
  }
  return wanted > all.size() ? std::span<const std::byte>() : all.subspan(0, wanted);
}

std::optional<Why> NodeReader::lost(const Node& node, std::uint64_t at, std::uint64_t size) const {
  for (const capture::Hole& hole : node.holes) {
    if (hole.begin < at + std::max<std::uint64_t>(size, 1) && at < hole.end) return hole.why;
  }
  const std::uint64_t there = node_bytes(node).size();
  if (at + size > there || at + size < at) {
    return Why{ValueState::kUnavailable, "past the bytes that are captured"};
  }
  return std::nullopt;
}

std::optional<Why> NodeReader::wholly_lost(const Node& node, std::uint64_t at,
                                           std::uint64_t size) const {
  for (const capture::Hole& hole : node.holes) {
    if (size > 0 && hole.begin <= at && at + size <= hole.end) return hole.why;
  }
  return size > 0 && at >= node_bytes(node).size() ? lost(node, at, size) : std::nullopt;
}

const Node* NodeReader::follow(const Node& node, std::uint64_t at, const Type* to) const {
  const Node* found = nullptr;
  for (const capture::Follow& candidate : node.follows) {
    const Node* leads = candidate.node.get();
    const bool is_inside =
        leads->kind == Node::Kind::kItems && leads->items->kind != capture::Items::Kind::kObject;
    if (candidate.at != at || is_inside || leads->type != to) continue;
    if (found == nullptr || missing(*found)) found = leads;
  }
  return found;
}

const Node* NodeReader::inside(const Node& node, const Type* type, std::uint64_t at) const {
  const Node* found = nullptr;
  for (const capture::Follow& candidate : node.follows) {
    const Node* there = candidate.node.get();
    const bool fits = there->type != nullptr && strip_typedefs(there->type) == strip_typedefs(type);
    if (candidate.at != at || !fits || there->kind == Node::Kind::kBytes) continue;
    if (found == nullptr || missing(*found)) found = there;
  }
  return found;
}

Value NodeReader::read_at(const Node& node, const Type* type, std::uint64_t at, int nesting) {
  const Type* real = strip_typedefs(type);
  if (++made_ > kMaxValues || nesting > kMaxNesting) {
    return absent(type, {ValueState::kUnavailable, "too large to show"});
  }
  if (const auto why = wholly_lost(node, at, real->byte_size)) return absent(type, *why);
  switch (real->kind) {
    case TypeKind::kUnion:
      if (real->discriminated != nullptr) return read_alternative(node, type, at, nesting);
      [[fallthrough]];
    case TypeKind::kStruct:
      return read_record(node, type, at, nesting);
    case TypeKind::kArray:
      return read_array(node, type, at, nesting);
    case TypeKind::kPointer:
    case TypeKind::kReference:
      return read_pointer(node, type, at, nesting);
    default:
      return read_scalar(node, type, at, 0, 0);
  }
}

namespace {

Value scalar_of(const Type* type, std::span<const std::byte> raw, std::uint32_t bit_offset,
                std::uint32_t bit_size) {
  const Type* real = strip_typedefs(type);
  const std::uint64_t size = raw.size();
  if (language::is_floating(real) && bit_size == 0) {
    Value value = shell(type, Value::Kind::kFloat);
    value.floating = float_from(raw);
    return value;
  }
  const bool number = language::is_integral(real) || real->kind == TypeKind::kUnspecified;
  if (real->kind == TypeKind::kInteger && size == 16 && bit_size == 0)
    return wide_integer(type, raw);
  if (!number && bit_size != 0)
    return absent(type, {ValueState::kUnavailable, "bits of a type that is not covered"});
  if (!number || size > 8 || bit_size > 64) {
    Value value = shell(type, Value::Kind::kBytes);
    value.text = as_text(raw.subspan(0, std::min<std::size_t>(raw.size(), 64)));
    if (raw.size() > 64) truncate(value, "more than 64 bytes");
    return value;
  }
  Value value = shell(type, Value::Kind::kInteger);
  value.is_signed = language::is_signed(real);
  value.bits = little_endian(raw);
  if (bit_size != 0) {
    const unsigned up = 64 - bit_offset - bit_size;
    const unsigned down = 64 - bit_size;
    const std::uint64_t high = value.bits << up;
    value.bits = value.is_signed
                     ? static_cast<std::uint64_t>(static_cast<std::int64_t>(high) >> down)
                     : high >> down;
  } else if (real->kind != TypeKind::kBool) {
    value.bits = language::fit_integer(value.bits, real);
  }
  if (real->kind == TypeKind::kBool) value.kind = Value::Kind::kBool;
  if (is_character(real)) value.kind = Value::Kind::kChar;
  if (real->kind == TypeKind::kEnum) {
    value.kind = Value::Kind::kEnum;
    value.text = enum_name(real, value.bits);
  }
  if (real->kind == TypeKind::kUnspecified) value.kind = Value::Kind::kPointer;
  return value;
}

}  // namespace

Value NodeReader::read_scalar(const Node& node, const Type* type, std::uint64_t at,
                              std::uint32_t bit_offset, std::uint32_t bit_size) const {
  const std::uint64_t size = bit_size != 0 ? (std::uint64_t{bit_offset} + bit_size + 7) / 8
                                           : strip_typedefs(type)->byte_size;
  if (size == 0) return absent(type, {ValueState::kUnavailable, "its size is not known"});
  if (const auto why = lost(node, at, size)) return absent(type, *why);
  Value value = scalar_of(type, node_bytes(node).subspan(at, size), bit_offset, bit_size);
  look(node, at, size, value);
  return value;
}

Value NodeReader::read_pointer(const Node& node, const Type* type, std::uint64_t at, int nesting) {
  if (const auto why = lost(node, at, 8)) return absent(type, *why);
  Value value = shell(type, Value::Kind::kPointer);
  value.bits = little_endian(node_bytes(node).subspan(at, 8));
  const Type* to = strip_typedefs(type)->target;
  value.is_to_code = to != nullptr && strip_typedefs(to)->kind == TypeKind::kFunction;
  look(node, at, 8, value);
  const Node* leads = follow(node, at, to);
  // A null pointer leads nowhere; as a text it is one that cannot be read.
  const bool is_text = leads != nullptr && leads->kind == Node::Kind::kText;
  if (leads == nullptr || (value.bits == 0 && !is_text)) return value;
  value.target.push_back(is_text ? read_text(*leads) : read_inner(*leads, nesting + 1));
  // Of a text it is the characters that were asked for, also where they were left out.
  if (is_text || (to != nullptr && language::text_unit(to) != 0)) {
    value.state = value.target[0].state;
    value.why = value.target[0].why;
  }
  return value;
}

Value NodeReader::read_record(const Node& node, const Type* type, std::uint64_t at, int nesting) {
  const Type* real = strip_typedefs(type);
  if (const Node* there = inside(node, type, at)) {
    Value value = read_inner(*there, nesting + 1);
    value.type = language::type_name(type);
    return value;
  }
  if (auto known = read_library(node, type, at, nesting)) return std::move(*known);
  if (const Member* cell = only_content(*real)) {
    Value value = read_at(node, cell->type, at + cell->byte_offset, nesting + 1);
    value.type = language::type_name(type);
    return value;
  }
  Value value = shell(type, Value::Kind::kStruct);
  value.is_union = real->kind == TypeKind::kUnion;
  if (real->is_declaration) {
    return absent(type, {ValueState::kUnavailable, "its members are not known in this program"});
  }
  for (const Member& member : real->members) {
    if (member.is_static || member.type == nullptr) continue;
    std::string name = member.is_base_class ? language::type_name(member.type) : member.name;
    Value inner;
    if (member.is_virtual_base) {
      inner = absent(member.type, {ValueState::kUnavailable, "virtual bases are not covered"});
    } else if (member.bit_offset) {
      inner = read_scalar(node, member.type, at + *member.bit_offset / 8,
                          static_cast<std::uint32_t>(*member.bit_offset % 8), member.bit_size);
    } else {
      inner = read_at(node, member.type, at + member.byte_offset, nesting + 1);
    }
    value.members.emplace_back(std::move(name), std::move(inner));
  }
  if (at + real->byte_size > node_bytes(node).size()) truncate(value, "larger than is captured");
  return value;
}

Value NodeReader::read_array(const Node& node, const Type* type, std::uint64_t at, int nesting) {
  const Type* real = strip_typedefs(type);
  const Type* item = real->target == nullptr ? nullptr : strip_typedefs(real->target);
  if (item == nullptr || !real->element_count ||
      (item->byte_size == 0 && real->element_count != 0)) {
    return absent(type, {ValueState::kUnavailable, "its length is not known"});
  }
  const std::uint64_t count = *real->element_count;
  const bool is_wide =
      item->byte_size > 1 && (is_character(item) || language::text_unit(real->target) != 0);
  if (is_wide || (language::is_byte_char(item) && item->is_signed))
    return read_char_array(node, type, at, static_cast<std::uint32_t>(item->byte_size));
  Value value = shell(type, Value::Kind::kArray);
  const std::uint64_t shown = std::min<std::uint64_t>(count, max_items_);
  for (std::uint64_t i = 0; i < shown && made_ < kMaxValues; ++i) {
    value.items.push_back(read_at(node, real->target, at + i * item->byte_size, nesting + 1));
  }
  if (value.items.size() < count) {
    truncate(value, std::to_string(value.items.size()) + " of " + std::to_string(count) + " shown");
  }
  look(node, at, value.items.size() * item->byte_size, value);
  return value;
}

}  // namespace nohalt::values
