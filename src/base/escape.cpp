// One pass over the bytes: decode one UTF-8 sequence at a time, keep it or
// write its escape.
#include "src/base/escape.h"

#include <array>
#include <cstdint>
#include <cstdio>

namespace nohalt {

namespace {

struct Decoded {
  std::uint32_t code_point = 0;
  std::size_t length = 0;  // 0: not UTF-8 at this place
};

Decoded decode_one(std::string_view bytes) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  const unsigned first = byte(0);
  if (first < 0x80) return {first, 1};
  std::size_t length = 0;
  std::uint32_t minimum = 0;
  std::uint32_t value = 0;
  if (first >= 0xc2 && first <= 0xdf) {
    length = 2, minimum = 0x80, value = first & 0x1f;
  } else if (first >= 0xe0 && first <= 0xef) {
    length = 3, minimum = 0x800, value = first & 0x0f;
  } else if (first >= 0xf0 && first <= 0xf4) {
    length = 4, minimum = 0x10000, value = first & 0x07;
  } else {
    return {};
  }
  if (bytes.size() < length) return {};
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    value = (value << 6) | (byte(i) & 0x3fU);
  }
  const bool surrogate = value >= 0xd800 && value <= 0xdfff;
  if (value < minimum || value > 0x10ffff || surrogate) return {};
  return {value, length};
}

bool must_escape(std::uint32_t c) {
  const bool control = c < 0x20 || (c >= 0x7f && c < 0xa0);
  const bool separator = c == 0x2028 || c == 0x2029;
  const bool bidi = c == 0x061c || c == 0x200e || c == 0x200f || (c >= 0x202a && c <= 0x202e) ||
                    (c >= 0x2066 && c <= 0x2069);
  const bool invisible =
      c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb) || (c >= 0xe0000 && c <= 0xe007f);
  return control || separator || bidi || invisible;
}

void append_escape(std::string& out, std::uint32_t c) {
  std::array<char, 16> buffer{};
  switch (c) {
    case '\n':
      out += "\\n";
      return;
    case '\t':
      out += "\\t";
      return;
    case '\r':
      out += "\\r";
      return;
    default:
      std::snprintf(buffer.data(), buffer.size(), c < 0x80 ? "\\x%02x" : "\\u{%x}", c);
      out += buffer.data();
  }
}

EscapedText escape(std::string_view bytes, bool double_backslash) {
  EscapedText result;
  result.text.reserve(bytes.size());
  while (!bytes.empty()) {
    const Decoded d = decode_one(bytes);
    if (d.length == 0) {
      std::array<char, 8> buffer{};
      std::snprintf(buffer.data(), buffer.size(), "\\x%02x", static_cast<unsigned char>(bytes[0]));
      result.text += buffer.data();
      result.was_valid_utf8 = false;
      bytes.remove_prefix(1);
      continue;
    }
    if (d.code_point == '\\' && double_backslash) {
      result.text += "\\\\";
    } else if (must_escape(d.code_point)) {
      append_escape(result.text, d.code_point);
    } else {
      result.text += bytes.substr(0, d.length);
    }
    bytes.remove_prefix(d.length);
  }
  return result;
}

void append_json_escape(std::string& out, std::uint32_t c) {
  std::array<char, 16> buffer{};
  if (c < 0x10000) {
    std::snprintf(buffer.data(), buffer.size(), "\\u%04x", c);
  } else {
    const std::uint32_t rest = c - 0x10000;  // as a surrogate pair
    std::snprintf(buffer.data(), buffer.size(), "\\u%04x\\u%04x", 0xd800 + (rest >> 10),
                  0xdc00 + (rest & 0x3ff));
  }
  out += buffer.data();
}

}  // namespace

EscapedText escape_untrusted(std::string_view bytes) { return escape(bytes, true); }

std::string make_printable(std::string_view bytes) { return escape(bytes, false).text; }

std::string escape_in_json(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  while (!json.empty()) {
    const Decoded d = decode_one(json);
    const std::size_t length = d.length == 0 ? 1 : d.length;
    if (d.length != 0 && must_escape(d.code_point))
      append_json_escape(out, d.code_point);
    else
      out += json.substr(0, length);
    json.remove_prefix(length);
  }
  return out;
}

bool is_utf8(std::string_view bytes) {
  while (!bytes.empty()) {
    const Decoded d = decode_one(bytes);
    if (d.length == 0) return false;
    bytes.remove_prefix(d.length);
  }
  return true;
}

}  // namespace nohalt
