// Numbers by fmt, padding by hand: a fill can be any character, and a value
// that is not there is padded like any other.
#include "probes/records/values/format.h"

#include <fmt/format.h>

#include <algorithm>

#include "probes/records/values/decode.h"

namespace nohalt::values {

namespace {

std::size_t columns(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

std::string padded(std::string text, const language::FormatSpec& spec, bool number) {
  const std::size_t wide = columns(text);
  if (wide >= spec.width) return text;
  const std::size_t missing = spec.width - wide;
  const char align = spec.align != '\0' ? spec.align : number ? '>' : '<';
  const std::size_t before = align == '>' ? missing : align == '^' ? missing / 2 : 0;
  std::string result;
  const std::string fill = spec.fill.empty() ? " " : spec.fill;
  for (std::size_t i = 0; i < before; ++i) result += fill;
  result += text;
  for (std::size_t i = before; i < missing; ++i) result += fill;
  return result;
}

// fmt's spec without fill and alignment.
std::string number_spec(const language::FormatSpec& spec, bool floating) {
  std::string text = "{:";
  if (spec.sign != '\0') text += spec.sign;
  if (spec.alternate) text += '#';
  if (spec.zero && spec.align == '\0') text += '0' + std::to_string(spec.width);
  if (floating && spec.precision >= 0) text += '.' + std::to_string(spec.precision);
  if (spec.type != '\0' && spec.type != 'p' && spec.type != 's') text += spec.type;
  return text + "}";
}

std::string write_number(const Value& value, const language::FormatSpec& spec) {
  const bool floating = value.kind == Value::Kind::kFloat;
  const std::string text = number_spec(spec, floating);
  const bool pattern =
      std::string_view("xXobB").find(spec.type) != std::string_view::npos && spec.type != '\0';
  if (floating) {
    if (value.byte_size == 4)
      return fmt::format(fmt::runtime(text), static_cast<float>(value.floating));
    if (value.byte_size == 8)
      return fmt::format(fmt::runtime(text), static_cast<double>(value.floating));
    return fmt::format(fmt::runtime(text), value.floating);
  }
  if (!pattern && value.is_signed) {
    return fmt::format(fmt::runtime(text), static_cast<std::int64_t>(value.bits));
  }
  // Bit patterns are those of the type's width, as %x prints them.
  const unsigned unused = value.byte_size < 8 && value.byte_size > 0 ? 64 - 8 * value.byte_size : 0;
  return fmt::format(fmt::runtime(text), value.bits << unused >> unused);
}

bool as_number(const Value& value, char type) {
  switch (value.kind) {
    case Value::Kind::kInteger:
    case Value::Kind::kFloat:
      return true;
    case Value::Kind::kBool:
    case Value::Kind::kEnum:
    case Value::Kind::kChar:
      return type != '\0' && type != 's';
    default:
      return false;
  }
}

}  // namespace

std::string formatted(const Value& value, const language::FormatSpec& spec) {
  try {
    if (spec.type == 'c' && value.is_there() && value.kind != Value::Kind::kFloat) {
      const bool printable = value.bits >= 0x20 && value.bits < 0x7f;
      const std::string text = printable ? std::string(1, static_cast<char>(value.bits))
                                         : fmt::format("\\x{:02x}", value.bits & 0xff);
      return padded(text, spec, false);
    }
    if (as_number(value, spec.type)) return padded(write_number(value, spec), spec, true);
    const bool address = std::string_view("xXp").find(spec.type) != std::string_view::npos &&
                         spec.type != '\0' && value.kind == Value::Kind::kPointer;
    if (address) {
      const bool bare = spec.type != 'p' && !spec.alternate;
      return padded(fmt::format(fmt::runtime(bare ? (spec.type == 'X' ? "{:X}" : "{:x}") : "{:#x}"),
                                value.bits),
                    spec, true);
    }
  } catch (const fmt::format_error&) {
    // The binder lets no such spec through; the plain form is right anyway.
  }
  std::string text = to_message_text(value);
  if (spec.precision >= 0 && columns(text) > static_cast<std::size_t>(spec.precision)) {
    std::size_t end = 0;
    for (std::int32_t left = spec.precision; end < text.size(); ++end) {
      const bool starts = (static_cast<unsigned char>(text[end]) & 0xc0) != 0x80;
      if (starts && left-- == 0) break;
    }
    text.resize(end);
  }
  return padded(std::move(text), spec, false);
}

std::string render(const language::BoundTemplate& message, std::span<const NamedValue> values) {
  std::string text;
  for (std::size_t i = 0; i < message.texts.size(); ++i) {
    text += message.texts[i];
    if (i >= message.values.size()) continue;
    if (i < values.size()) text += formatted(values[i].value, message.specs[i]);
  }
  return text;
}

}  // namespace nohalt::values
