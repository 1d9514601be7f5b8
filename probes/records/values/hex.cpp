// An array is taken from the record, since of a value's items only so many are shown.
#include "probes/records/values/hex.h"

#include <algorithm>

#include "probes/capture/containers/recognise.h"
#include "probes/language/type_rules.h"
#include "probes/records/values/decode.h"
#include "probes/records/values/node_reader.h"

namespace nohalt::values {

namespace containers = capture::containers;
using symbols::strip_typedefs;
using symbols::Type;
using symbols::TypeKind;

namespace {

// The array that a value is, or that a std::array is made of; null: it is none.
const Type* array_in(const Type* type) {
  const Type* real = strip_typedefs(type);
  if (real->kind == TypeKind::kArray) return real;
  const auto name = containers::library_name(real->name);
  if (name.library == containers::LibraryName::Library::kNone || name.name != "array")
    return nullptr;
  for (const char* member : {"_M_elems", "__elems_"})
    if (const auto field = containers::find_field(real, {member}))
      if (field->type->element_count && real->byte_size == field->type->byte_size)
        return field->type;
  return nullptr;
}

bool is_array_of_bytes(const Type* array) {
  return array->element_count && array->target != nullptr && language::is_byte(array->target);
}

}  // namespace

bool is_of_bytes(const Type* type) {
  if (const auto text = containers::recognise_text(type)) return text->unit == 1;
  if (const Type* array = array_in(type)) return is_array_of_bytes(array);
  const auto container = containers::recognise(type);
  return container == nullptr
             ? language::is_textual(type)
             : container->kind == capture::Items::Kind::kSequence && container->item != nullptr &&
                   language::is_byte(container->item);
}

std::optional<ValueBytes> bytes_shown(const Value& value, const language::Expr& root,
                                      const capture::CaptureLayout& layout,
                                      std::span<const std::byte> body) {
  if (!value.is_there()) return std::nullopt;
  if (const Type* array = array_in(root.type)) {
    const auto all = bytes_of(layout, body, root);
    if (!all) return std::nullopt;
    return ValueBytes{as_text(*all), all->size() < array->byte_size};
  }
  const Value& shown = value.target.empty() ? value : value.target[0];
  ValueBytes bytes{shown.text, shown.state == ValueState::kTruncated};
  if (shown.kind == Value::Kind::kText) return bytes;
  if (shown.kind != Value::Kind::kArray) return std::nullopt;
  bytes.bytes.clear();
  for (const Value& item : shown.items) {
    if (!item.is_there() || item.byte_size != 1) return std::nullopt;
    bytes.bytes += static_cast<char>(item.bits & 0xff);
  }
  return bytes;
}

Value as_hex(const Value& value, const ValueBytes& bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  Value hex;
  hex.kind = Value::Kind::kText;
  hex.type = value.type;
  hex.count = value.count;
  hex.state = bytes.is_cut ? ValueState::kTruncated : ValueState::kExact;
  if (bytes.is_cut)
    hex.why = value.why.empty() ? std::to_string(bytes.bytes.size()) + " bytes shown" : value.why;
  for (const char each : bytes.bytes) {
    const auto byte = static_cast<unsigned char>(each);
    hex.text += kDigits[byte >> 4];
    hex.text += kDigits[byte & 15];
  }
  return hex;
}

}  // namespace nohalt::values
