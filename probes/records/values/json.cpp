// Values as JSON, by the record format's rules: whole numbers beyond what a
// double holds exactly, pointers, NaN and infinities are strings; what is not
// there is left out; text that is not UTF-8 is escaped and says so.
#include <fmt/format.h>

#include <cmath>

#include "probes/records/values/format.h"
#include "probes/records/values/value.h"
#include "src/base/escape.h"

namespace nohalt::values {

namespace {

constexpr std::int64_t kLargestExact = (std::int64_t{1} << 53) - 1;

struct Decoded {
  std::uint32_t code_point;
  std::size_t length;
};

// Of text known to be UTF-8.
Decoded decode_utf8(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const std::uint32_t first = byte(0);
  if (first < 0x80) return {first, 1};
  const std::size_t length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  std::uint32_t value = first & (0xffU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) value = (value << 6) | (byte(i) & 0x3fU);
  return {value, length};
}

// Control characters, separators and bidirectional controls as \u, so that a
// line of JSON is safe on a terminal and still means the same text.
bool is_unsafe(std::uint32_t c) {
  return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x061c || (c >= 0x200b && c <= 0x200f) ||
         (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

std::string string_of(std::string_view utf8) {
  std::string json = "\"";
  while (!utf8.empty()) {
    const auto [code_point, length] = decode_utf8(utf8);
    if (code_point == '"' || code_point == '\\') {
      json += '\\';
      json += utf8[0];
    } else if (is_unsafe(code_point)) {
      json += fmt::format("\\u{:04x}", code_point);
    } else {
      json += utf8.substr(0, length);
    }
    utf8.remove_prefix(length);
  }
  return json + "\"";
}

// Any bytes; whether they had to be escaped goes to `escaped`.
std::string text_json(const std::string& bytes, bool& escaped) {
  escaped = !is_utf8(bytes);
  return string_of(escaped ? escape_untrusted(bytes).text : bytes);
}

std::string plain(const std::string& bytes) {
  bool ignored = false;
  return text_json(bytes, ignored);
}

std::string integer_json(const Value& value) {
  if (value.kind == Value::Kind::kInteger && !value.text.empty()) return "\"" + value.text + "\"";
  const auto number = static_cast<std::int64_t>(value.bits);
  const bool exact = value.is_signed ? number >= -kLargestExact && number <= kLargestExact
                                     : value.bits <= static_cast<std::uint64_t>(kLargestExact);
  const std::string text = integer_text(value);
  return exact ? text : "\"" + text + "\"";
}

std::string float_json(const Value& value) {
  const auto narrow = static_cast<double>(value.floating);
  const bool fits =
      std::isfinite(value.floating) && static_cast<long double>(narrow) == value.floating;
  const std::string text = float_text(value);
  if (text == "-0") return "-0.0";  // of a whole number a reader drops the sign
  return fits ? text : "\"" + text + "\"";
}

// How a value inside another is written.
enum class Inner {
  kBare,  // alone, where it is exact
  kNode,  // with its type and kind
};

std::string content(const Value& value, Inner form, bool& escaped);

// Each with a comma behind.
std::string class_json(const Value& value) {
  std::string json;
  if (!value.declared_type.empty()) json += "\"declared_type\":" + plain(value.declared_type) + ",";
  if (value.distance != 0) json += "\"distance\":" + std::to_string(value.distance) + ",";
  if (!value.dynamic_type.empty()) json += "\"dynamic_type\":" + plain(value.dynamic_type) + ",";
  return json;
}

std::string nested(const Value& value, Inner form) {
  bool escaped = false;
  const std::string inner = value.is_there() ? content(value, form, escaped) : "";
  const bool exact = value.state == ValueState::kExact;
  const bool is_plain = value.declared_type.empty() && value.dynamic_type.empty();
  if (form == Inner::kBare && exact && !escaped && is_plain) return inner;
  std::string json = "{";
  if (form == Inner::kNode || !is_plain) json += "\"type\":" + plain(value.type) + ",";
  json += class_json(value);
  if (form == Inner::kNode) {
    if (value.is_there()) json += std::string("\"kind\":\"") + kind_name(value) + "\",";
  }
  if (value.count) json += "\"size\":" + std::to_string(*value.count) + ",";
  if (!inner.empty()) json += "\"value\":" + inner + ",";
  if (!value.symbol.empty()) json += "\"symbol\":" + plain(value.symbol) + ",";
  if (form == Inner::kNode && exact)
    json.pop_back();
  else
    json += std::string("\"state\":\"") + state_name(value.state) + "\"";
  if (!exact && !value.why.empty()) json += ",\"why\":" + plain(value.why);
  if (escaped) json += ",\"encoding\":\"escaped\"";
  return json + "}";
}

std::string pointer_json(const Value& value, Inner form, bool& escaped) {
  const std::string address = fmt::format("\"{:#x}\"", value.bits);
  if (value.target.empty()) return address;
  const Value& target = value.target[0];
  if (target.kind == Value::Kind::kText) return text_json(target.text, escaped);
  if (!target.is_there() && value.state != ValueState::kExact) return address;
  return "{\"address\":" + address + ",\"target\":" + nested(target, form) + "}";
}

// Members of base classes and anonymous members have names of their own; a
// name that comes twice gets a number.
std::string struct_json(const Value& value, Inner form) {
  std::string json = "{";
  std::size_t unnamed = 0;
  for (const auto& [name, member] : value.members) {
    if (json.size() > 1) json += ",";
    const std::string key = name.empty() ? fmt::format("<anonymous {}>", ++unnamed) : name;
    json += plain(key) + ":" + nested(member, form);
  }
  return json + "}";
}

std::string list_json(const std::vector<Value>& items, Inner form) {
  std::string json = "[";
  for (const Value& item : items) json += (json.size() > 1 ? "," : "") + nested(item, form);
  return json + "]";
}

std::string entry_json(const Value& item, Inner form) {
  const auto [key, value] = halves_of(item);
  if (key == nullptr && value == nullptr) return nested(item, form);
  std::string json = key == nullptr ? "" : "\"key\":" + nested(*key, form);
  if (value != nullptr)
    json += (json.empty() ? "\"value\":" : ",\"value\":") + nested(*value, form);
  return "{" + json + "}";
}

// Pairs, and no object: keys need not be texts, and may come twice.
std::string map_json(const Value& value, Inner form) {
  std::string json = "[";
  for (const Value& item : value.items) {
    if (json.size() > 1) json += ",";
    json += entry_json(item, form);
  }
  return json + "]";
}

std::string variant_json(const Value& value, Inner form) {
  if (value.items.empty()) return "{}";
  return fmt::format("{{\"index\":{},\"item\":{}}}", value.bits, nested(value.items[0], form));
}

std::string owner_json(const Value& value, Inner form) {
  std::string json = fmt::format("{{\"address\":\"{:#x}\"", value.bits);
  if (value.uses) json += ",\"uses\":" + std::to_string(*value.uses);
  if (value.watchers) json += ",\"watchers\":" + std::to_string(*value.watchers);
  if (!value.target.empty()) json += ",\"target\":" + nested(value.target[0], form);
  return json + "}";
}

std::string time_json(const Value& value) {
  std::string json = "{";
  if (!value.calendar.empty()) json += "\"time\":" + plain(value.calendar) + ",";
  json += "\"count\":" + nested(value.items[0], Inner::kBare) + ",\"unit\":" + plain(value.text);
  return json + "}";
}

std::string content(const Value& value, Inner form, bool& escaped) {
  switch (value.kind) {
    case Value::Kind::kNone:
      return "";
    case Value::Kind::kBool:
      return value.bits == 0 ? "false" : value.bits == 1 ? "true" : integer_json(value);
    case Value::Kind::kInteger:
    case Value::Kind::kChar:
      return integer_json(value);
    case Value::Kind::kFloat:
      return float_json(value);
    case Value::Kind::kEnum:
      return value.text.empty() ? integer_json(value) : text_json(value.text, escaped);
    case Value::Kind::kPointer:
      return pointer_json(value, form, escaped);
    case Value::Kind::kText:
      return text_json(value.text, escaped);
    case Value::Kind::kBytes: {
      std::string hex;
      for (const char byte : value.text)
        hex += fmt::format("{:02x}", static_cast<std::uint8_t>(byte));
      return "\"" + hex + "\"";
    }
    case Value::Kind::kStruct:
    case Value::Kind::kAlternative:
      return struct_json(value, form);
    case Value::Kind::kArray:
    case Value::Kind::kSet:
    case Value::Kind::kOptional:
    case Value::Kind::kTuple:
      return list_json(value.items, form);
    case Value::Kind::kMap:
      return map_json(value, form);
    case Value::Kind::kVariant:
      return variant_json(value, form);
    case Value::Kind::kSmartPointer:
      return owner_json(value, form);
    case Value::Kind::kDuration:
    case Value::Kind::kTimePoint:
      return time_json(value);
    case Value::Kind::kFunction:
      return fmt::format("{{\"address\":\"{:#x}\"}}", value.bits);
  }
  return "";
}

}  // namespace

std::string content_json(const Value& value, bool& escaped) {
  escaped = false;
  return content(value, Inner::kBare, escaped);
}

std::string tree_json(const Value& value, bool& escaped) {
  escaped = false;
  return content(value, Inner::kNode, escaped);
}

const char* kind_name(const Value& value) {
  switch (value.kind) {
    case Value::Kind::kNone:
      break;
    case Value::Kind::kBool:
      return "bool";
    case Value::Kind::kInteger:
      return "integer";
    case Value::Kind::kFloat:
      return "float";
    case Value::Kind::kChar:
      return "char";
    case Value::Kind::kEnum:
      return "enum";
    case Value::Kind::kPointer:
      return !value.target.empty() && value.target[0].kind == Value::Kind::kText ? "text"
                                                                                 : "pointer";
    case Value::Kind::kText:
      return "text";
    case Value::Kind::kStruct:
      return "struct";
    case Value::Kind::kAlternative:
      return "alternative";
    case Value::Kind::kArray:
      return "array";
    case Value::Kind::kBytes:
      return "bytes";
    case Value::Kind::kSet:
      return "set";
    case Value::Kind::kMap:
      return "map";
    case Value::Kind::kOptional:
      return "optional";
    case Value::Kind::kVariant:
      return "variant";
    case Value::Kind::kTuple:
      return "tuple";
    case Value::Kind::kSmartPointer:
      return "smart_pointer";
    case Value::Kind::kDuration:
      return "duration";
    case Value::Kind::kTimePoint:
      return "time_point";
    case Value::Kind::kFunction:
      return "function";
  }
  return "";
}

std::string to_json(const Value& value) {
  bool escaped = false;
  const std::string inner = content(value, Inner::kBare, escaped);
  std::string json = "{\"type\":" + plain(value.type);
  if (std::string classes = class_json(value); !classes.empty()) {
    classes.pop_back();
    json += "," + classes;
  }
  if (value.count) json += ",\"size\":" + std::to_string(*value.count);
  if (!inner.empty()) json += ",\"value\":" + inner;
  json += std::string(",\"state\":\"") + state_name(value.state) + "\"";
  if (value.state != ValueState::kExact && !value.why.empty())
    json += ",\"why\":" + plain(value.why);
  if (escaped) json += ",\"encoding\":\"escaped\"";
  return json + "}";
}

}  // namespace nohalt::values
