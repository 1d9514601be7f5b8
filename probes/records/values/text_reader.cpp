// Texts: how long they are comes from the record and is checked against the room
// that the layout gives them; what their characters are comes from the type.
#include <algorithm>

#include "probes/language/binder_impl.h"
#include "probes/records/values/node_reader.h"

namespace nohalt::values {

using symbols::strip_typedefs;
using symbols::Type;
using symbols::TypeKind;

namespace {

constexpr std::uint32_t kLastCodePoint = 0x10ffff;

// As UTF-8 has it, for a surrogate too.
void append(std::string& text, std::uint32_t code) {
  const auto put = [&text](std::uint32_t byte) { text += static_cast<char>(byte); };
  if (code < 0x80) return put(code);
  if (code < 0x800) {
    put(0xc0 | code >> 6);
  } else {
    if (code < 0x10000) {
      put(0xe0 | code >> 12);
    } else {
      put(0xf0 | code >> 18);
      put(0x80 | (code >> 12 & 0x3f));
    }
    put(0x80 | (code >> 6 & 0x3f));
  }
  put(0x80 | (code & 0x3f));
}

bool is_between(std::uint32_t code, std::uint32_t first, std::uint32_t last) {
  return code >= first && code <= last;
}

// A cut may fall into a character; its first bytes are no text.
void drop_half_character(std::string& text) {
  const std::size_t most = std::min<std::size_t>(text.size(), 3);
  for (std::size_t back = 1; back <= most; ++back) {
    const auto byte = static_cast<unsigned char>(text[text.size() - back]);
    if ((byte & 0xc0) == 0x80) continue;
    const std::size_t length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    if (length > back) text.resize(text.size() - back);
    return;
  }
}

}  // namespace

bool is_character(const Type* real) {
  return real->kind == TypeKind::kChar || real->name == "wchar_t";
}

std::uint32_t character_size(const Type* type) {
  const Type* real = strip_typedefs(type);
  if (real->kind == TypeKind::kStruct && !real->template_types.empty())
    type = real->template_types[0];
  else if (real->target != nullptr)
    type = real->target;
  if (const std::uint32_t unit = language::text_unit(type); unit != 0) return unit;
  real = strip_typedefs(type);
  const bool is_wide = is_character(real) && (real->byte_size == 2 || real->byte_size == 4);
  return is_wide ? static_cast<std::uint32_t>(real->byte_size) : 1;
}

void set_characters(Value& value, std::span<const std::byte> bytes, std::uint32_t unit) {
  if (unit == 1) {
    value.text = as_text(bytes);
    return;
  }
  const std::size_t count = bytes.size() / unit;
  const auto at = [&](std::size_t i) {
    return i < count ? static_cast<std::uint32_t>(little_endian(bytes.subspan(i * unit, unit))) : 0;
  };
  for (std::size_t i = 0; i < count; ++i) {
    std::uint32_t code = at(i);
    if (code > kLastCodePoint) {
      value.kind = Value::Kind::kBytes;
      value.text = as_text(bytes);
      return;
    }
    if (unit == 2 && is_between(code, 0xd800, 0xdbff) && is_between(at(i + 1), 0xdc00, 0xdfff))
      code = 0x10000 + ((code - 0xd800) << 10) + (at(++i) - 0xdc00);
    append(value.text, code);
  }
}

Value NodeReader::read_text(const Node& node) const {
  if (const auto why = missing(node)) return absent(node.type, *why);
  const auto length_bytes = bytes(node.length, 4);
  const auto room = bytes(node.data, node.size);
  if (length_bytes.empty() || room.empty()) return absent(node.type, damaged());
  const std::uint64_t length = little_endian(length_bytes);
  const std::uint64_t most = node.text_may_go_on ? node.size : std::uint64_t{node.size} + 1;
  if (length > most) return absent(node.type, damaged());
  Value value = shell(node.type, Value::Kind::kText);
  const std::uint32_t unit = character_size(node.type);
  std::uint64_t shown = std::min<std::uint64_t>(length, node.size);
  // Nor is the first half of two.
  if (length == most && unit == 2 && shown >= 2 &&
      is_between(static_cast<std::uint32_t>(little_endian(room.subspan(shown - 2, 2))), 0xd800,
                 0xdbff))
    shown -= 2;
  set_characters(value, room.subspan(0, shown), unit);
  if (length == most) {
    truncate(value, "longer than " + std::to_string(node.size) + " bytes");
    if (unit == 1) drop_half_character(value.text);
  }
  look(node, 0, std::min<std::uint64_t>(length, node.size), value);
  return value;
}

Value NodeReader::read_char_array(const Node& node, const Type* type, std::uint64_t at,
                                  std::uint32_t unit) const {
  const auto all = node_bytes(node);
  const std::uint64_t size = *strip_typedefs(type)->element_count * unit;
  const std::uint64_t there = at < all.size() ? std::min<std::uint64_t>(size, all.size() - at) : 0;
  if (const auto why = lost(node, at, there)) return absent(type, *why);
  auto characters = all.subspan(std::min<std::uint64_t>(at, all.size()), there / unit * unit);
  bool ends = false;
  for (std::size_t i = 0; i < characters.size() && !ends; i += unit) {
    ends = little_endian(characters.subspan(i, unit)) == 0;
    if (ends) characters = characters.first(i);
  }
  Value value = shell(type, Value::Kind::kText);
  set_characters(value, characters, unit);
  if (!ends && there < size) truncate(value, "longer than is captured");
  // Nulls behind them are no more than that; anything else there is not shown.
  const auto tail = all.subspan(std::min<std::uint64_t>(at, all.size()) + characters.size(),
                                there - characters.size());
  const auto nulls = std::ranges::find_if(tail, [](std::byte byte) { return byte != std::byte{}; });
  look(node, at, characters.size() + static_cast<std::uint64_t>(nulls - tail.begin()), value);
  return value;
}

}  // namespace nohalt::values
