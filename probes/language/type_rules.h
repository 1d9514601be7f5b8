// The types that expressions make by themselves (the int of a literal, the
// pointer of &x) and C's rules on types: promotion and the usual arithmetic
// conversions.
//
// Source: C17 (N2176), 6.3.1.1 and 6.3.1.8; x86-64 psABI sizes. Types of equal
// size and signedness, as long and long long, are one type here.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>

#include "probes/symbols/types.h"

namespace nohalt::language {

using symbols::Type;
using symbols::TypeKind;

// Owns the types that it makes; they live as long as it does.
class TypeStore {
 public:
  // size 1, 2, 4 or 8.
  [[nodiscard]] const Type* integer(std::uint64_t size, bool is_signed);
  [[nodiscard]] const Type* boolean();
  [[nodiscard]] const Type* character();
  [[nodiscard]] const Type* floating(std::uint64_t size);  // 4, 8, 16
  [[nodiscard]] const Type* void_type();
  [[nodiscard]] const Type* pointer_to(const Type* target);
  [[nodiscard]] const Type* array_of(const Type* item, std::uint64_t count);
  // The type of text that has no address in the target, as $func's.
  [[nodiscard]] const Type* text();

  // `unsigned long` and the like by name, any order of words; null: not one.
  [[nodiscard]] const Type* by_name(std::string_view name);

  // The integer promotions; `bit_size` other than 0 is a bitfield's width.
  [[nodiscard]] const Type* promote(const Type* type, std::uint32_t bit_size = 0);
  // Both arithmetic: the type both are converted to.
  [[nodiscard]] const Type* common(const Type* left, const Type* right);

 private:
  const Type* named(TypeKind kind, const std::string& name, std::uint64_t size, bool is_signed);

  std::deque<Type> types_;
  std::map<std::string, const Type*> by_name_;
  std::map<const Type*, const Type*> pointers_;
};

// All of these look through typedefs.
[[nodiscard]] bool is_integral(const Type* type);  // integer, bool, char, enum
[[nodiscard]] bool is_floating(const Type* type);
[[nodiscard]] bool is_arithmetic(const Type* type);
[[nodiscard]] bool is_pointer(const Type* type);  // pointers and nullptr_t
[[nodiscard]] bool is_scalar(const Type* type);   // arithmetic or pointer
[[nodiscard]] bool is_record(const Type* type);   // struct, class, union
// It has no bytes, and so one value only: Rust's `()` and structs without fields.
[[nodiscard]] bool is_empty_type(const Type* type);
[[nodiscard]] bool is_signed(const Type* type);
// One-byte characters, and void where said.
[[nodiscard]] bool is_byte_char(const Type* type);
// A number or character of one byte, std::byte too.
[[nodiscard]] bool is_byte(const Type* type);
// The bytes of one of the characters that texts are made of: char and char8_t, wchar_t,
// char16_t, char32_t (in C aliases of integers, known by their names). 0: it is none.
[[nodiscard]] std::uint32_t text_unit(const Type* type);
// The type behind a pointer, reference or array, typedefs kept; null otherwise.
[[nodiscard]] const Type* pointee(const Type* type);
// libstdc++'s std::string (the one with a length), std::string_view, and Rust's String and
// &str, by name and members.
[[nodiscard]] bool is_std_string(const Type* type);
[[nodiscard]] bool is_rust_text(const Type* type);
// Where its pointer and its length are, from its first byte.
struct StdStringLayout {
  std::uint64_t pointer_offset = 0;
  std::uint64_t length_offset = 0;
};
[[nodiscard]] StdStringLayout std_string_layout(const Type* type);
// Something that text can be compared with: char*, char[], std::string, &str.
[[nodiscard]] bool is_textual(const Type* type);
// How messages call it.
[[nodiscard]] std::string type_name(const Type* type);

}  // namespace nohalt::language
