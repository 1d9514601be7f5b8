// Values as a person and a record see them: what was captured, decoded, with
// what is known about each part. No bytes of a record are left in here.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "probes/capture/layout.h"

namespace nohalt::values {

using capture::ValueState;

struct Value {
  enum class Kind {
    kNone,  // not there: see state
    kBool,
    kInteger,
    kFloat,
    kChar,
    kEnum,
    kPointer,      // bits; target holds what it leads to, where that was followed
    kText,         // characters of a std::string or a char []
    kStruct,       // members
    kAlternative,  // of a Rust enum: the one member is named as the variant
    kArray,        // items
    kBytes,        // of a type that is not understood; text holds them
  };
  Kind kind = Kind::kNone;
  std::string type;
  ValueState state = ValueState::kUnavailable;
  std::string why;         // where the state is not exact
  std::uint64_t bits = 0;  // extended to 64 as the type says
  std::uint32_t byte_size = 0;
  bool is_signed = false;
  long double floating = 0;
  std::string text;  // raw: escape before showing; kEnum: the name; kInteger: digits of 16 bytes
  std::vector<std::pair<std::string, Value>> members;
  std::vector<Value> items;
  std::vector<Value> target;  // none or one

  [[nodiscard]] bool is_there() const { return kind != Kind::kNone; }
};

struct NamedValue {
  std::string name;
  Value value;
};

// "exact", "optimized_out", ...: the record format's words.
[[nodiscard]] const char* state_name(ValueState state);

// As a debugger shows it: {a = 1, name = 0x55d0 "abc"}. One line, escaped.
[[nodiscard]] std::string to_text(const Value& value);
// As a message shows it: text without quotes or address.
[[nodiscard]] std::string to_message_text(const Value& value);

// The value alone, as it stands under "value" there; empty where it is not
// there. `escaped` tells whether text had to be escaped.
[[nodiscard]] std::string content_json(const Value& value, bool& escaped);

// The same as a tree in which whatever lies inside a value says what it is:
// {"type": ..., "kind": ..., "value": ..., "state": ..., "why": ..., "encoding": ...},
// the state only where it is not exact.
[[nodiscard]] std::string tree_json(const Value& value, bool& escaped);
// What a value is, apart from its type: "integer", "text", "struct", ...; empty
// where it is not there.
[[nodiscard]] const char* kind_name(const Value& value);

// {"type": ..., "value": ..., "state": ..., "why": ..., "encoding": ...}
[[nodiscard]] std::string to_json(const Value& value);

}  // namespace nohalt::values
