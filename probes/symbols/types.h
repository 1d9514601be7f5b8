// The target's types as its DWARF describes them, resolved and plain: what the
// binder, the capture builder and the value decoder need to know, and no
// third-party handle. A Type lives as long as the DebugInfo that made it and
// never changes once handed out, so pointers to it are compared for identity.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace nohalt::symbols {

enum class TypeKind {
  kVoid,
  kInteger,  // signed or unsigned, bool and char excluded
  kBool,
  kChar,  // signed char, unsigned char, char8_t: DW_ATE_*_char; also wide ones by byte_size
  kFloat,
  kEnum,
  kPointer,
  kReference,  // lvalue or rvalue reference
  kArray,
  kStruct,   // struct or class
  kUnion,    // also what has one member or another: see Discriminated
  kTypedef,  // also const/volatile/atomic/restrict wrappers: see qualifiers
  kFunction,
  kMemberPointer,
  kUnspecified,  // decltype(nullptr)
  kUnknown,      // described in a way this reader does not cover; `name` says how
};

struct Type;

struct Member {
  std::string name;  // empty: anonymous
  const Type* type = nullptr;
  std::uint64_t byte_offset = 0;  // from the start of the enclosing object
  // Bitfields: the lowest bit counted from the object's first byte, little-endian.
  std::optional<std::uint64_t> bit_offset;
  std::uint32_t bit_size = 0;
  bool is_base_class = false;
  bool is_virtual_base = false;  // its offset is not constant: unsupported for reading
  bool is_static = false;
};

// When one member of a union is there, as the union's discriminant tells.
struct Alternative {
  std::vector<std::uint64_t> values;  // of the discriminant, cut to its size
  bool is_default = false;            // for every value that no other member has
};

// A union that says which of its members is there: what a Rust enum with data is.
struct Discriminated {
  // Absent: there is only one member, or (`is_known` is false) nobody knows which.
  std::optional<Member> discriminant;
  bool is_known = true;
  std::vector<Alternative> alternatives;  // one for each member
};

struct Enumerator {
  std::string name;
  std::int64_t value = 0;
};

struct Type {
  TypeKind kind = TypeKind::kUnknown;
  std::string name;  // qualified, as its language spells it: "int *", "int [4]", "&u32", "[u32; 4]"
  std::uint64_t byte_size = 0;  // 0: unknown or incomplete
  bool is_signed = false;       // integers, chars, enums
  bool is_declaration = false;  // incomplete: no definition found
  const Type* target =
      nullptr;  // pointee, referee, element, typedef's target, enum's underlying type, return type
  std::vector<Member> members;  // struct, union: bases first, then members in declaration order
  std::vector<const Type*> template_types;  // struct, union: those of its template arguments
  std::vector<Enumerator> enumerators;
  std::optional<std::uint64_t> element_count;  // arrays: absent = unknown (flexible, VLA)
  std::string declared_in;                     // source file of the declaration, may be empty
  std::shared_ptr<const Discriminated> discriminated;  // of a union, where it has one
};

// Follows typedefs and qualifiers to the type that says what the bytes mean.
[[nodiscard]] const Type* strip_typedefs(const Type* type);

// The member of a discriminated union that is there where its discriminant has this
// value (any, where it has none). Null: the value is of no member, or nobody knows.
[[nodiscard]] const Member* active_member(const Type& type, std::uint64_t discriminant);

}  // namespace nohalt::symbols
