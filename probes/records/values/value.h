// Values as a person and a record see them: what was captured, decoded, with
// what is known about each part. No bytes of a record are left in here.
#pragma once

#include <cstdint>
#include <optional>
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
    kText,         // characters of a string or a char []; of wide ones as UTF-8
    kStruct,       // members
    kArray,        // items, and of a container's count
    kBytes,        // of a type that is not understood; text holds them
    kAlternative,  // of a Rust enum: the one member is named as the variant
    // Of the standard library:
    kSet,           // items, count
    kMap,           // items: each a key and its value, in a kStruct
    kOptional,      // no item, or one
    kVariant,       // the item with the number in bits; none: it has no value
    kTuple,         // items
    kSmartPointer,  // bits, target; uses and watchers where its owners are counted
    kDuration,      // one item, the count of `text`s, such as "ms"
    kTimePoint,     // the same since its clock's epoch; calendar, where that is known
    kFunction,      // bits: the code that is called by it; 0: none
  };
  Kind kind = Kind::kNone;
  std::string type;
  ValueState state = ValueState::kUnavailable;
  std::string why;          // where the state is not exact
  std::string rule = {};    // kRedacted: that hides it, where it may be named
  bool is_dropped = false;  // kRedacted: nothing is to stand in its place
  std::uint64_t bits = 0;   // extended to 64 as the type says
  std::uint32_t byte_size = 0;
  bool is_signed = false;
  long double floating = 0;
  std::string text;  // raw: escape before showing; kEnum: the name; kInteger: digits of 16 bytes
  std::string symbol = {};  // of a pointer to code: the function that begins there
  bool is_to_code = false;
  bool is_union = false;  // kStruct: its members share their bytes
  std::vector<std::pair<std::string, Value>> members;
  std::vector<Value> items;
  std::vector<Value> target;                   // none or one
  std::optional<std::uint64_t> count = {};     // how many items there are, captured or not
  std::optional<std::uint64_t> uses = {};      // owners that share what is pointed to
  std::optional<std::uint64_t> watchers = {};  // those that do not keep it
  std::string calendar = {};                   // kTimePoint: RFC 3339

  // Of an object behind a pointer: the class that the pointer says, where the object is of
  // another, `type`, and how far from its beginning the pointer points into it ...
  std::string declared_type = {};
  std::uint64_t distance = 0;
  // ... its vtable pointer, and the class that symbols have for that, where it is not `type`.
  std::uint64_t vtable_pointer = 0;
  std::string dynamic_type = {};

  [[nodiscard]] bool is_there() const { return kind != Kind::kNone; }
};

// Of a map's item: its key and its value; null where it has none.
struct Halves {
  const Value* key = nullptr;
  const Value* value = nullptr;
};
[[nodiscard]] Halves halves_of(const Value& item);

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
// {"type": ..., "kind": ..., "size": ..., "value": ..., "state": ..., "why": ..., "encoding": ...},
// the state only where it is not exact.
[[nodiscard]] std::string tree_json(const Value& value, bool& escaped);
// What a value is, apart from its type: "integer", "text", "struct", ...; empty
// where it is not there.
[[nodiscard]] const char* kind_name(const Value& value);

// {"type": ..., "size": ..., "value": ..., "state": ..., "why": ..., "encoding": ...}
[[nodiscard]] std::string to_json(const Value& value);

}  // namespace nohalt::values
