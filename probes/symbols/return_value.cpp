// Classification: each eightbyte of an object of at most 16 bytes is integer where any
// scalar in it is, else SSE. An object with a scalar off its natural boundary is in memory, as
// is one of more than 16 bytes.
#include "probes/symbols/return_value.h"

#include <algorithm>
#include <array>
#include <string>

namespace nohalt::symbols {

namespace {

constexpr std::uint16_t kRax = 0;
constexpr std::uint16_t kRdx = 1;
constexpr std::uint16_t kXmm0 = 17;
constexpr std::uint16_t kXmm1 = 18;
constexpr std::uint64_t kWord = 8;
constexpr std::uint64_t kMostInRegisters = 2 * kWord;
constexpr std::uint64_t kMostElements = 16;
constexpr int kMostNesting = 16;

enum class Class { kNone, kInteger, kSse };

struct Classes {
  std::array<Class, 2> words{Class::kNone, Class::kNone};
  bool in_memory = false;
  std::string unknown;  // not empty: what is not covered

  void add(std::uint64_t at, std::uint64_t size, Class as) {
    if (size == 0 || at + size > kMostInRegisters || at / kWord != (at + size - 1) / kWord) {
      in_memory = true;
      return;
    }
    Class& word = words[at / kWord];
    if (word != Class::kInteger) word = as;
  }
};

void classify(const Type* type, std::uint64_t at, int nesting, Classes& classes);

void classify_scalar(const Type& type, std::uint64_t at, Class as, Classes& classes) {
  if (type.byte_size == 0 || type.byte_size > kWord) {
    classes.unknown = "a value of type " + type.name;
    return;
  }
  if (at % type.byte_size != 0) classes.in_memory = true;
  classes.add(at, type.byte_size, as);
}

void classify_members(const Type& type, std::uint64_t at, int nesting, Classes& classes) {
  for (const Member& member : type.members) {
    if (member.is_static) continue;
    if (member.is_virtual_base) {
      classes.unknown = "a class with a virtual base";
    } else if (member.bit_offset) {
      if (member.bit_size == 0) continue;
      const std::uint64_t first = *member.bit_offset / 8;
      const std::uint64_t last = (*member.bit_offset + member.bit_size - 1) / 8;
      classes.add(at + first, 1, Class::kInteger);
      classes.add(at + last, 1, Class::kInteger);
    } else {
      classify(member.type, at + member.byte_offset, nesting, classes);
    }
  }
}

void classify_elements(const Type& type, std::uint64_t at, int nesting, Classes& classes) {
  const std::uint64_t count = type.element_count.value_or(0);
  const Type* element = strip_typedefs(type.target);
  if (count == 0 || count > kMostElements || element == nullptr || element->byte_size == 0) {
    classes.unknown = "an array of type " + type.name;
    return;
  }
  for (std::uint64_t i = 0; i < count; ++i)
    classify(element, at + i * element->byte_size, nesting, classes);
}

void classify(const Type* declared, std::uint64_t at, int nesting, Classes& classes) {
  const Type* type = declared == nullptr ? nullptr : strip_typedefs(declared);
  if (type == nullptr || nesting > kMostNesting) {
    classes.unknown = "a type that is nested too deep or not described";
    return;
  }
  switch (type->kind) {
    case TypeKind::kInteger:
    case TypeKind::kBool:
    case TypeKind::kChar:
    case TypeKind::kEnum:
    case TypeKind::kPointer:
    case TypeKind::kReference:
      classify_scalar(*type, at, Class::kInteger, classes);
      return;
    case TypeKind::kFloat:
      classify_scalar(*type, at, Class::kSse, classes);
      return;
    case TypeKind::kStruct:
    case TypeKind::kUnion:
      if (type->discriminated) classes.unknown = "a value of type " + type->name;
      classify_members(*type, at, nesting + 1, classes);
      return;
    case TypeKind::kArray:
      classify_elements(*type, at, nesting + 1, classes);
      return;
    default:
      classes.unknown = "a value of type " + type->name;
      return;
  }
}

Location unavailable(const std::string& what) {
  return Unavailable{UnavailableWhy::kUnsupported, what};
}

Location in_memory() { return InMemory{.address = {{.kind = OpKind::kRegister, .number = kRax}}}; }

bool is_object(const Type& type) {
  return type.kind == TypeKind::kStruct || type.kind == TypeKind::kUnion;
}

Location in_registers(const Type& type, const Classes& classes) {
  std::uint16_t integer = kRax;
  std::uint16_t sse = kXmm0;
  InPieces all;
  for (std::uint64_t at = 0; at < type.byte_size; at += kWord) {
    const Class word = classes.words[at / kWord];
    if (word == Class::kNone) return unavailable("an object of which nothing is in one word");
    const std::uint16_t number = word == Class::kInteger ? integer : sse;
    if (word == Class::kInteger)
      integer = kRdx;
    else
      sse = kXmm1;
    const std::uint64_t size = std::min(kWord, type.byte_size - at);
    all.pieces.push_back(Piece{size * 8, 0, {InRegister{number}}});
  }
  if (all.pieces.size() == 1) return all.pieces.front().location.front();
  return all;
}

}  // namespace

Location return_location(const FunctionReturn& result) {
  using Passing = FunctionReturn::ClassPassing;
  if (!result.doubt.empty()) return unavailable(result.doubt);
  const Type* type = result.type == nullptr ? nullptr : strip_typedefs(result.type);
  if (type == nullptr) return unavailable("a value of a type that is not described");
  if (is_object(*type)) {
    if (type->is_declaration || type->byte_size == 0) return unavailable("an object of no size");
    if (result.passing == Passing::kByReference) return in_memory();
    if (!result.is_c && result.passing == Passing::kUnknown)
      return unavailable("the debug information does not say how an object of type " + type->name +
                         " is returned");
    if (type->byte_size > kMostInRegisters) return in_memory();
  }
  Classes classes;
  if (type->kind == TypeKind::kArray) return unavailable("a vector");
  classify(type, 0, 0, classes);
  if (!classes.unknown.empty()) return unavailable(classes.unknown);
  return classes.in_memory ? in_memory() : in_registers(*type, classes);
}

}  // namespace nohalt::symbols
