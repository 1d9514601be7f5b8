// Values as text: one line, nothing in it that drives a terminal.
#include <fmt/format.h>

#include <cmath>

#include "probes/records/values/format.h"
#include "probes/records/values/value.h"
#include "src/base/escape.h"
#include "src/base/utf8.h"

namespace nohalt::values {

const char* state_name(ValueState state) {
  switch (state) {
    case ValueState::kExact:
      return "exact";
    case ValueState::kTruncated:
      return "truncated";
    case ValueState::kOptimizedOut:
      return "optimized_out";
    case ValueState::kUnreadable:
      return "unreadable";
    case ValueState::kRedacted:
      return "redacted";
    case ValueState::kUnavailable:
      break;
  }
  return "unavailable";
}

std::string float_text(const Value& value) {
  if (std::isnan(value.floating)) return std::signbit(value.floating) ? "-nan" : "nan";
  // Shortest text that reads back as the same number of its type.
  if (value.byte_size == 4) return fmt::format("{}", static_cast<float>(value.floating));
  if (value.byte_size == 8) return fmt::format("{}", static_cast<double>(value.floating));
  return fmt::format("{}", value.floating);
}

std::string integer_text(const Value& value) {
  if (value.kind == Value::Kind::kInteger && !value.text.empty()) return value.text;
  return value.is_signed ? fmt::format("{}", static_cast<std::int64_t>(value.bits))
                         : fmt::format("{}", value.bits);
}

namespace {

std::string quoted(const Value& text) {
  std::string shown = "\"";
  for (const char c : escape_untrusted(text.text).text)
    shown += c == '"' ? "\\\"" : std::string(1, c);
  return shown + "\"" + (text.state == ValueState::kTruncated ? "..." : "");
}

// Rust's tuples and the fields of its tuple structs are numbered.
bool is_tuple(const Value& value) {
  for (std::size_t i = 0; i < value.members.size(); ++i)
    if (value.members[i].first != "__" + std::to_string(i)) return false;
  return !value.members.empty();
}

// What an object is that is of another class than its pointer says.
std::string class_text(const Value& value) {
  if (!value.dynamic_type.empty())
    return escape_untrusted(value.dynamic_type + ", of which " + value.type).text + " ";
  return value.declared_type.empty() ? "" : escape_untrusted(value.type).text + " ";
}

std::string members_text(const Value& value) {
  const bool tuple = is_tuple(value) || value.type == "()";
  std::string text = class_text(value) + (tuple ? "(" : "{");
  const std::size_t begin = text.size();
  for (const auto& [name, member] : value.members) {
    if (text.size() > begin) text += ", ";
    if (!name.empty() && !tuple) text += escape_untrusted(name).text + " = ";
    text += to_text(member);
  }
  return text + (tuple ? ")" : "}");
}

std::string character(const Value& value) {
  std::string text = integer_text(value);
  const bool printable = value.bits >= 0x20 && value.bits < 0x7f;
  if (value.byte_size > 1 && value.bits >= 0x80) {
    const std::string letter = utf8_of(value.bits);
    if (!letter.empty()) text += " '" + escape_untrusted(letter).text + "'";
  }
  if (printable) text += fmt::format(" '{}'", static_cast<char>(value.bits));
  return text;
}

std::string why_not(const Value& value) {
  const std::string why = escape_untrusted(value.why).text;
  switch (value.state) {
    case ValueState::kOptimizedOut:
      return "<optimized out>";
    case ValueState::kRedacted:
      if (value.is_dropped) return {};
      return value.rule.empty() ? "<redacted>"
                                : "[redacted:" + escape_untrusted(value.rule).text + "]";
    case ValueState::kUnreadable:
      return "<unreadable: " + why + ">";
    default:
      return "<unavailable: " + why + ">";
  }
}

std::string pointer(const Value& value) {
  std::string text = fmt::format("{:#x}", value.bits);
  if (!value.symbol.empty()) text += " <" + escape_untrusted(value.symbol).text + ">";
  if (!value.target.empty() && value.bits != 0) text += " " + to_text(value.target[0]);
  return text;
}

std::string smart_pointer(const Value& value) {
  const std::string counts =
      value.uses && value.bits != 0
          ? fmt::format("(use {}, weak {}) ", *value.uses, value.watchers.value_or(0))
          : "";
  if (value.bits == 0) return "(null)";
  if (value.uses && *value.uses == 0) return counts + "(expired)";
  return counts + (value.target.empty() ? fmt::format("{:#x}", value.bits)
                                        : "-> " + to_text(value.target[0]));
}

std::string entry(const Value& item) {
  const auto [key, value] = halves_of(item);
  if (key == nullptr && value == nullptr) return to_text(item);
  std::string text = key == nullptr ? "" : "[" + to_text(*key) + "]";
  if (key != nullptr && value != nullptr) text += " = ";
  return value == nullptr ? text : text + to_text(*value);
}

// Items between two brackets, and, where a container's are not all there, why.
std::string items(const Value& value, char open, char close) {
  std::string text(1, open);
  for (const Value& item : value.items) {
    if (text.size() > 1) text += ", ";
    text += value.kind == Value::Kind::kMap ? entry(item) : to_text(item);
  }
  const bool cut = value.state == ValueState::kTruncated;
  if (cut) text += value.items.empty() ? "..." : ", ...";
  text += close;
  if (cut && value.count) text += " <" + escape_untrusted(value.why).text + ">";
  return text;
}

std::string moment(const Value& value) {
  if (!value.calendar.empty()) return value.calendar;
  return to_text(value.items[0]) + (value.items[0].is_there() ? " " + value.text : "");
}

}  // namespace

std::string to_text(const Value& value) {
  switch (value.kind) {
    case Value::Kind::kNone:
      return why_not(value);
    case Value::Kind::kBool:
      return value.bits == 0 ? "false" : value.bits == 1 ? "true" : integer_text(value);
    case Value::Kind::kInteger:
      return integer_text(value);
    case Value::Kind::kFloat:
      return float_text(value);
    case Value::Kind::kChar:
      return character(value);
    case Value::Kind::kEnum:
      return value.text.empty() ? integer_text(value) : escape_untrusted(value.text).text;
    case Value::Kind::kPointer:
      return pointer(value);
    case Value::Kind::kText:
      return quoted(value);
    case Value::Kind::kBytes: {
      std::string text = "<bytes";
      for (const char byte : value.text)
        text += fmt::format(" {:02x}", static_cast<std::uint8_t>(byte));
      return text + ">";
    }
    case Value::Kind::kStruct:
      return members_text(value);
    case Value::Kind::kAlternative: {
      const auto& [name, fields] = value.members[0];
      const std::string text = escape_untrusted(name).text;
      if (fields.kind == Value::Kind::kStruct && fields.members.empty()) return text;
      return text + (is_tuple(fields) ? "" : " ") + to_text(fields);
    }
    case Value::Kind::kArray:
      return items(value, '[', ']');
    case Value::Kind::kSet:
    case Value::Kind::kMap:
      return items(value, '{', '}');
    case Value::Kind::kTuple:
      return items(value, '(', ')');
    case Value::Kind::kOptional:
      if (value.state != ValueState::kExact) return items(value, '[', ']');
      return value.items.empty() ? "(empty)" : to_text(value.items[0]);
    case Value::Kind::kVariant:
      return value.items.empty() ? "(valueless)" : to_text(value.items[0]);
    case Value::Kind::kSmartPointer:
      return smart_pointer(value);
    case Value::Kind::kDuration:
    case Value::Kind::kTimePoint:
      return moment(value);
    case Value::Kind::kFunction:
      if (value.bits == 0) return "(empty)";
      return value.symbol.empty() ? fmt::format("{:#x}", value.bits)
                                  : escape_untrusted(value.symbol).text;
  }
  return {};
}

std::string to_message_text(const Value& value) {
  const Value* text = &value;
  if (value.kind == Value::Kind::kPointer && !value.target.empty() &&
      value.target[0].type.find("char") != std::string::npos) {
    const bool is_text =
        value.target[0].kind == Value::Kind::kText || value.target[0].kind == Value::Kind::kNone;
    if (is_text) text = &value.target[0];
  }
  if (text->kind != Value::Kind::kText) return to_text(*text);
  return escape_untrusted(text->text).text + (text->state == ValueState::kTruncated ? "..." : "");
}

}  // namespace nohalt::values
