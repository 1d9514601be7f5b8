// What Rust has beyond C and C++: enums with data, cells, and integers of 16 bytes.
#include <algorithm>
#include <cstring>

#include "probes/language/binder_impl.h"
#include "probes/records/values/node_reader.h"

namespace nohalt::values {

using symbols::Member;
using symbols::strip_typedefs;
using symbols::Type;

namespace {

// Of 16 bytes, which no formatter takes.
std::string wide_integer_text(std::span<const std::byte> bytes, bool is_signed) {
  __extension__ unsigned __int128 number = 0;
  std::memcpy(&number, bytes.data(), sizeof number);
  const bool negative = is_signed && (number >> 127) != 0;
  if (negative) number = -number;
  std::string digits;
  do {
    digits.insert(digits.begin(), static_cast<char>('0' + static_cast<int>(number % 10)));
    number /= 10;
  } while (number != 0);
  return negative ? "-" + digits : digits;
}

}  // namespace

Value wide_integer(const Type* type, std::span<const std::byte> bytes) {
  Value value;
  value.kind = Value::Kind::kInteger;
  value.type = language::type_name(type);
  value.state = ValueState::kExact;
  value.byte_size = 16;
  value.is_signed = strip_typedefs(type)->is_signed;
  value.text = wide_integer_text(bytes, value.is_signed);
  return value;
}

const Member* only_content(const Type& type) {
  static constexpr std::string_view kCells[] = {
      "core::cell::Cell<",
      "core::cell::UnsafeCell<",
      "core::cell::SyncUnsafeCell<",
      "core::mem::manually_drop::ManuallyDrop<",
      "core::mem::maybe_dangling::MaybeDangling<",
      "core::sync::atomic::Atomic",
  };
  const auto is_it = [&](std::string_view front) { return type.name.starts_with(front); };
  if (type.members.size() != 1 || std::ranges::none_of(kCells, is_it)) return nullptr;
  const Member& only = type.members[0];
  const bool is_whole = only.type != nullptr && !only.is_static && !only.bit_offset &&
                        only.byte_offset == 0 &&
                        strip_typedefs(only.type)->byte_size == type.byte_size;
  return is_whole ? &only : nullptr;
}

// Which member is there is read of the captured bytes, so that it fits what they hold.
Value NodeReader::read_alternative(const Node& node, const Type* type, std::uint64_t at,
                                   int nesting) {
  const Type* real = strip_typedefs(type);
  const auto& discriminant = real->discriminated->discriminant;
  std::uint64_t tag = 0;
  if (discriminant) {
    const std::uint64_t size = strip_typedefs(discriminant->type)->byte_size;
    const std::uint64_t from = at + discriminant->byte_offset;
    if (const auto why = lost(node, from, size)) return absent(type, *why);
    tag = little_endian(node_bytes(node).subspan(from, size));
    look(node, from, size, shell(discriminant->type, Value::Kind::kInteger));
  }
  const Member* active = symbols::active_member(*real, tag);
  if (active == nullptr || active->type == nullptr) {
    return absent(type, {ValueState::kUnavailable,
                         real->discriminated->is_known
                             ? "its discriminant, " + std::to_string(tag) + ", is of no variant"
                             : "which of its variants is there is not known"});
  }
  Value inner = read_at(node, active->type, at + active->byte_offset, nesting + 1);
  Value value;
  value.kind = Value::Kind::kAlternative;
  value.type = language::type_name(type);
  value.state = ValueState::kExact;
  value.byte_size = static_cast<std::uint32_t>(real->byte_size);
  value.members.emplace_back(active->name, std::move(inner));
  return value;
}

}  // namespace nohalt::values
