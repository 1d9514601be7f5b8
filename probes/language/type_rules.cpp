// The rules, each a few lines; see the header for the sources.
#include "probes/language/type_rules.h"

#include <algorithm>
#include <optional>
#include <sstream>
#include <vector>

namespace nohalt::language {

using symbols::Member;
using symbols::strip_typedefs;

const Type* TypeStore::named(TypeKind kind, const std::string& name, std::uint64_t size,
                             bool is_signed_type) {
  const auto found = by_name_.find(name);
  if (found != by_name_.end()) return found->second;
  Type type;
  type.kind = kind;
  type.name = name;
  type.byte_size = size;
  type.is_signed = is_signed_type;
  types_.push_back(std::move(type));
  return by_name_[name] = &types_.back();
}

const Type* TypeStore::integer(std::uint64_t size, bool is_signed_type) {
  const std::string base = size == 8 ? "long" : size == 2 ? "short" : size == 1 ? "char" : "int";
  const std::string name = (is_signed_type ? (size == 1 ? "signed " : "") : "unsigned ") + base;
  return named(size == 1 ? TypeKind::kChar : TypeKind::kInteger, name, size, is_signed_type);
}
const Type* TypeStore::boolean() { return named(TypeKind::kBool, "bool", 1, false); }
const Type* TypeStore::character() { return named(TypeKind::kChar, "char", 1, true); }
const Type* TypeStore::floating(std::uint64_t size) {
  const std::string name = size == 4 ? "float" : size == 8 ? "double" : "long double";
  return named(TypeKind::kFloat, name, size, true);
}
const Type* TypeStore::void_type() { return named(TypeKind::kVoid, "void", 0, false); }
const Type* TypeStore::text() { return named(TypeKind::kUnspecified, "text", 0, false); }

const Type* TypeStore::pointer_to(const Type* target) {
  const auto found = pointers_.find(target);
  if (found != pointers_.end()) return found->second;
  Type type;
  type.kind = TypeKind::kPointer;
  type.name = target->name + (target->name.ends_with('*') ? "*" : " *");
  type.byte_size = 8;
  type.target = target;
  types_.push_back(std::move(type));
  return pointers_[target] = &types_.back();
}

namespace {

// As C writes it: the outer bounds first.
std::string array_name(const Type& item, std::uint64_t count) {
  std::string name = type_name(&item);
  const std::string bounds = "[" + std::to_string(count) + "]";
  const std::size_t inner = item.kind == TypeKind::kArray ? name.rfind(" [") : name.npos;
  if (inner == name.npos) return name + " " + bounds;
  return name.insert(inner + 1, bounds);
}

}  // namespace

const Type* TypeStore::array_of(const Type* item, std::uint64_t count) {
  Type array;
  array.kind = TypeKind::kArray;
  array.name = array_name(*item, count);
  array.target = item;
  array.element_count = count;
  array.byte_size = count * symbols::strip_typedefs(item)->byte_size;
  return &types_.emplace_back(std::move(array));
}

const Type* TypeStore::by_name(std::string_view name) {
  std::istringstream words{std::string(name)};
  int longs = 0, unsigneds = 0, signeds = 0;
  std::string base;
  for (std::string word; words >> word;) {
    if (word == "const" || word == "volatile") continue;
    if (word == "long") {
      ++longs;
    } else if (word == "unsigned") {
      ++unsigneds;
    } else if (word == "signed") {
      ++signeds;
    } else if (base.empty() || (base == "short" && word == "int")) {
      if (base.empty()) base = word;
    } else if (base == "int" && word == "short") {
      base = word;
    } else {
      return nullptr;
    }
  }
  if (unsigneds + signeds > 1 || longs > 2) return nullptr;
  const bool plain = longs == 0 && unsigneds + signeds == 0;
  if (base == "char" && longs == 0) return plain ? character() : integer(1, unsigneds == 0);
  if (base == "short" && longs == 0) return integer(2, unsigneds == 0);
  if (base == "int" || (base.empty() && !plain)) return integer(longs > 0 ? 8 : 4, unsigneds == 0);
  if (base == "double" && unsigneds + signeds == 0 && longs < 2)
    return floating(longs > 0 ? 16 : 8);
  if (!plain) return nullptr;
  if (base == "float") return floating(4);
  if (base == "void") return void_type();
  if (base == "bool" || base == "_Bool") return boolean();
  return nullptr;
}

const Type* TypeStore::promote(const Type* type, std::uint32_t bit_size) {
  const Type* real = strip_typedefs(type);
  if (!is_integral(real)) return type;
  if (bit_size != 0 && bit_size < 32) return integer(4, true);
  if (bit_size == 32 && real->byte_size <= 4) return integer(4, real->is_signed);
  if (real->kind == TypeKind::kBool || real->byte_size < 4) return integer(4, true);
  return integer(real->byte_size <= 4 ? 4 : 8, is_signed(real));
}

const Type* TypeStore::common(const Type* left, const Type* right) {
  const Type* a = strip_typedefs(left);
  const Type* b = strip_typedefs(right);
  if (is_floating(a) || is_floating(b)) {
    const std::uint64_t size =
        std::max(is_floating(a) ? a->byte_size : 0, is_floating(b) ? b->byte_size : 0);
    return floating(size);
  }
  a = promote(a);
  b = promote(b);
  if (a->byte_size == b->byte_size) return integer(a->byte_size, a->is_signed && b->is_signed);
  // The larger can hold all of the smaller's values, so it wins as it is.
  return a->byte_size > b->byte_size ? a : b;
}

bool is_integral(const Type* type) {
  const Type* real = strip_typedefs(type);
  if (real->byte_size > 8 || real->byte_size == 0) return false;
  return real->kind == TypeKind::kInteger || real->kind == TypeKind::kBool ||
         real->kind == TypeKind::kChar || real->kind == TypeKind::kEnum;
}
bool is_floating(const Type* type) {
  const Type* real = strip_typedefs(type);
  return real->kind == TypeKind::kFloat &&
         (real->byte_size == 4 || real->byte_size == 8 || real->byte_size == 16);
}
bool is_arithmetic(const Type* type) { return is_integral(type) || is_floating(type); }
bool is_pointer(const Type* type) {
  const Type* real = strip_typedefs(type);
  return real->kind == TypeKind::kPointer ||
         (real->kind == TypeKind::kUnspecified && real->byte_size == 8);
}
bool is_scalar(const Type* type) { return is_arithmetic(type) || is_pointer(type); }
bool is_record(const Type* type) {
  const Type* real = strip_typedefs(type);
  return real->kind == TypeKind::kStruct || real->kind == TypeKind::kUnion;
}
bool is_empty_type(const Type* type) {
  const Type* real = strip_typedefs(type);
  const bool is_whole = real->kind == TypeKind::kStruct && !real->is_declaration;
  return real->byte_size == 0 &&
         (is_whole || (real->kind == TypeKind::kArray && real->element_count == 0));
}
bool is_signed(const Type* type) {
  const Type* real = strip_typedefs(type);
  return real->is_signed && real->kind != TypeKind::kBool && real->kind != TypeKind::kPointer;
}
bool is_byte_char(const Type* type) {
  const Type* real = strip_typedefs(type);
  return real->kind == TypeKind::kChar && real->byte_size == 1;
}

bool is_byte(const Type* type) {
  const Type* real = strip_typedefs(type);
  return is_integral(real) && real->byte_size == 1 && real->kind != TypeKind::kBool;
}

std::uint32_t text_unit(const Type* type) {
  if (is_byte_char(type)) return 1;
  const std::uint64_t size = strip_typedefs(type)->byte_size;
  if (size != 2 && size != 4) return 0;
  for (;; type = type->target) {
    if (type->name == "wchar_t" || type->name == "char16_t" || type->name == "char32_t")
      return static_cast<std::uint32_t>(size);
    if (type->kind != TypeKind::kTypedef || type->target == nullptr) return 0;
  }
}

const Type* pointee(const Type* type) {
  const Type* real = strip_typedefs(type);
  const bool has = real->kind == TypeKind::kPointer || real->kind == TypeKind::kReference ||
                   real->kind == TypeKind::kArray;
  return has ? real->target : nullptr;
}

namespace {

const Member* direct_member(const Type* record, std::string_view name) {
  for (const Member& member : strip_typedefs(record)->members) {
    if (member.name == name && !member.is_static && !member.bit_offset) return &member;
  }
  return nullptr;
}

// The first pointer to bytes in a member, or in its members.
std::optional<std::uint64_t> byte_pointer_in(const Type* type, int depth) {
  const Type* real = strip_typedefs(type);
  if (real->kind == TypeKind::kPointer && real->target != nullptr) {
    const Type* target = strip_typedefs(real->target);
    const bool is_byte = target->kind == TypeKind::kInteger && target->byte_size == 1;
    return is_byte ? std::optional<std::uint64_t>(0) : std::nullopt;
  }
  if (real->kind != TypeKind::kStruct || depth == 0) return std::nullopt;
  for (const Member& member : real->members) {
    if (member.type == nullptr || member.is_static) continue;
    if (const auto at = byte_pointer_in(member.type, depth - 1)) return member.byte_offset + *at;
  }
  return std::nullopt;
}

// Rust's String, which is a vector of bytes, and its fat pointers to text.
bool find_rust_text(const Type* real, StdStringLayout& layout) {
  const std::string_view name = real->name;
  const bool is_string = name == "alloc::string::String";
  const bool is_pointer = name == "&str" || name == "&mut str" || name == "*const str" ||
                          name == "*mut str" || name.starts_with("alloc::boxed::Box<str,");
  if (!is_string && !is_pointer) return false;
  const Member* vector = is_string ? direct_member(real, "vec") : nullptr;
  if (is_string && vector == nullptr) return false;
  const Type* holder = is_string ? vector->type : real;
  const std::uint64_t begin = is_string ? vector->byte_offset : 0;
  const Member* data = direct_member(holder, is_string ? "buf" : "data_ptr");
  const Member* length = direct_member(holder, is_string ? "len" : "length");
  const auto pointer = data == nullptr ? std::nullopt : byte_pointer_in(data->type, 6);
  if (!pointer || length == nullptr || strip_typedefs(length->type)->byte_size != 8) return false;
  layout = {begin + data->byte_offset + *pointer, begin + length->byte_offset};
  return layout.pointer_offset + 8 <= real->byte_size &&
         layout.length_offset + 8 <= real->byte_size;
}

// Of libstdc++ and of libc++.
bool find_string_view(const Type* real, StdStringLayout& layout) {
  const std::string_view name = real->name;
  if (!name.starts_with("std::basic_string_view<char,") &&
      !name.starts_with("std::__1::basic_string_view<char,"))
    return false;
  const Member* data = direct_member(real, "_M_str");
  if (data == nullptr) data = direct_member(real, "__data_");
  const Member* length = direct_member(real, "_M_len");
  if (length == nullptr) length = direct_member(real, "__size_");
  const Type* character = data == nullptr ? nullptr : pointee(data->type);
  if (character == nullptr || !is_byte_char(character) || length == nullptr) return false;
  layout = {data->byte_offset, length->byte_offset};
  return strip_typedefs(length->type)->byte_size == 8 &&
         layout.pointer_offset + 8 <= real->byte_size &&
         layout.length_offset + 8 <= real->byte_size;
}

bool find_std_string(const Type* type, StdStringLayout& layout) {
  const Type* real = strip_typedefs(type);
  if (real->kind != TypeKind::kStruct) return false;
  if (find_rust_text(real, layout) || find_string_view(real, layout)) return true;
  const std::string_view name = real->name;
  if (!name.starts_with("std::__cxx11::basic_string<char") && name != "std::__cxx11::string" &&
      !name.starts_with("std::basic_string<char") && name != "std::string") {
    return false;
  }
  const Member* data = direct_member(real, "_M_dataplus");
  const Member* length = direct_member(real, "_M_string_length");
  if (data == nullptr || length == nullptr) return false;
  const Member* pointer = direct_member(data->type, "_M_p");
  if (pointer == nullptr || !is_byte_char(pointee(pointer->type) ? pointee(pointer->type) : real)) {
    return false;
  }
  layout = {data->byte_offset + pointer->byte_offset, length->byte_offset};
  return layout.pointer_offset + 8 <= real->byte_size &&
         layout.length_offset + 8 <= real->byte_size;
}

}  // namespace

bool is_std_string(const Type* type) {
  StdStringLayout ignored;
  return find_std_string(type, ignored);
}
bool is_rust_text(const Type* type) {
  StdStringLayout ignored;
  return find_rust_text(strip_typedefs(type), ignored);
}
StdStringLayout std_string_layout(const Type* type) {
  StdStringLayout layout;
  find_std_string(type, layout);
  return layout;
}
bool is_textual(const Type* type) {
  const Type* real = strip_typedefs(type);
  if (is_std_string(real)) return true;
  const bool points = real->kind == TypeKind::kPointer || real->kind == TypeKind::kArray;
  return points && real->target != nullptr && is_byte_char(real->target);
}
std::string type_name(const Type* type) {
  if (type == nullptr) return "void";
  return type->name.empty() ? "an unnamed type" : type->name;
}

}  // namespace nohalt::language
