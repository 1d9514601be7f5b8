// Clang says it (DW_AT_calling_convention), GCC does not. For GCC's C++ the rule of the
// Itanium C++ ABI (section 3.1.1, "non-trivial for the purposes of calls") is applied to
// what the class's DIE declares: a destructor, or a copy or move constructor, that is not
// defaulted in the class, in it or in a base or member of it, or a virtual function or
// base, hands it over by address. GCC marks what is defaulted (DW_AT_defaulted), but not
// under -gstrict-dwarf before DWARF 5, and then nothing is said here. Nor is it where all is
// not plain: a deleted constructor, or one that may be a copy constructor with more
// arguments.
#include "probes/symbols/class_passing.h"

#include <string>

namespace nohalt::symbols {

namespace {

using Passing = FunctionReturn::ClassPassing;

constexpr int kMostNesting = 16;
constexpr std::uint64_t kDefaultedInClass = 1;  // DW_DEFAULTED_in_class
constexpr std::uint64_t kLargestInRegisters = 16;

bool is_class(int tag) {
  return tag == DW_TAG_structure_type || tag == DW_TAG_class_type || tag == DW_TAG_union_type;
}

bool is_wrapper(int tag) {
  return tag == DW_TAG_typedef || tag == DW_TAG_const_type || tag == DW_TAG_volatile_type ||
         tag == DW_TAG_array_type;
}

// Behind names, qualifiers and arrays.
std::optional<Dwarf_Die> bare(std::optional<Dwarf_Die> type) {
  for (int hops = 0; type && hops < kMaxHops; ++hops) {
    if (!is_wrapper(dwarf_tag(&*type))) return type;
    type = referenced(*type, DW_AT_type);
  }
  return std::nullopt;
}

std::string_view without_arguments(std::string_view name) { return name.substr(0, name.find('<')); }

// The worse of two: by reference, then unknown.
Passing worse(Passing a, Passing b) {
  if (a == Passing::kByReference || b == Passing::kByReference) return Passing::kByReference;
  return a == Passing::kUnknown ? a : b;
}

bool refers_to(Dwarf_Die parameter, Dwarf_Die type) {
  const auto reference = bare(referenced(parameter, DW_AT_type));
  if (!reference) return false;
  Dwarf_Die copy = *reference;
  const int tag = dwarf_tag(&copy);
  if (tag != DW_TAG_reference_type && tag != DW_TAG_rvalue_reference_type) return false;
  const auto target = bare(referenced(copy, DW_AT_type));
  return target && target->addr == type.addr;
}

// Whether a constructor copies or moves; kMaybe where it has more arguments.
enum class Copies { kNo, kYes, kMaybe };

// An instance of a template, which never is the constructor that copies or moves, though its
// argument may be of the class. (C++ standard, class.copy.ctor.)
bool is_template_instance(Dwarf_Die function) {
  const char* name = die_name(function);
  bool has_arguments = name != nullptr && std::string_view(name).ends_with('>');
  for_each_child(function, [&](Dwarf_Die child) {
    const int tag = dwarf_tag(&child);
    has_arguments = has_arguments || tag == DW_TAG_template_type_parameter ||
                    tag == DW_TAG_template_value_parameter || tag == DW_TAG_GNU_template_parameter_pack;
    return !has_arguments;
  });
  return has_arguments;
}

Copies copies(Dwarf_Die constructor, Dwarf_Die type) {
  if (is_template_instance(constructor)) return Copies::kNo;
  int count = 0;
  bool first_refers = false;
  for_each_child(constructor, [&](Dwarf_Die child) {
    if (dwarf_tag(&child) != DW_TAG_formal_parameter || flag(child, DW_AT_artificial)) return true;
    if (count++ == 0) first_refers = refers_to(child, type);
    return true;
  });
  if (!first_refers) return Copies::kNo;
  return count == 1 ? Copies::kYes : Copies::kMaybe;
}

Passing of_function(Dwarf_Die function, Dwarf_Die type) {
  if (unsigned_attribute(function, DW_AT_virtuality).value_or(DW_VIRTUALITY_none) !=
      DW_VIRTUALITY_none)
    return Passing::kByReference;
  const char* name = die_name(function);
  const char* class_name = die_name(type);
  if (name == nullptr || *name == '\0') return Passing::kByValue;
  const bool is_destructor = *name == '~';
  const bool is_constructor =
      class_name != nullptr && without_arguments(name) == without_arguments(class_name);
  const Copies copying = is_constructor ? copies(function, type) : Copies::kNo;
  if (!is_destructor && copying == Copies::kNo) return Passing::kByValue;
  // Made by the compiler: as trivial as the parts, which are looked at.
  if (flag(function, DW_AT_artificial) ||
      unsigned_attribute(function, DW_AT_defaulted) == kDefaultedInClass)
    return Passing::kByValue;
  if (copying == Copies::kMaybe || flag(function, DW_AT_deleted)) return Passing::kUnknown;
  return Passing::kByReference;
}

Passing of_class(Dwarf_Die type, int nesting) {
  if (nesting > kMostNesting || flag(type, DW_AT_declaration)) return Passing::kUnknown;
  Passing all = Passing::kByValue;
  for_each_child(type, [&](Dwarf_Die child) {
    const int tag = dwarf_tag(&child);
    const bool is_base = tag == DW_TAG_inheritance;
    if (tag == DW_TAG_subprogram) all = worse(all, of_function(child, type));
    if (is_base && unsigned_attribute(child, DW_AT_virtuality).value_or(0) != 0)
      all = Passing::kByReference;
    const bool is_static = flag(child, DW_AT_external) || flag(child, DW_AT_declaration);
    if (!is_base && (tag != DW_TAG_member || is_static)) return true;
    auto part = bare(referenced(child, DW_AT_type));
    if (!part) {
      all = worse(all, Passing::kUnknown);
    } else if (is_class(dwarf_tag(&*part))) {
      all = worse(all, of_class(*part, nesting + 1));
    }
    return true;
  });
  return all;
}

bool holds_vector(std::optional<Dwarf_Die> type, int nesting) {
  for (int hops = 0; type && is_wrapper(dwarf_tag(&*type)) && hops < kMaxHops; ++hops) {
    if (flag(*type, DW_AT_GNU_vector)) return true;
    type = referenced(*type, DW_AT_type);
  }
  if (!type || !is_class(dwarf_tag(&*type))) return false;
  if (nesting > kMostNesting) return true;
  bool found = false;
  for_each_child(*type, [&](Dwarf_Die child) {
    const int tag = dwarf_tag(&child);
    const bool is_part = tag == DW_TAG_inheritance || tag == DW_TAG_member;
    if (is_part && !flag(child, DW_AT_external) && !flag(child, DW_AT_declaration))
      found = holds_vector(referenced(child, DW_AT_type), nesting + 1);
    return !found;
  });
  return found;
}

}  // namespace

bool has_vector(Dwarf_Die type) { return holds_vector(type, 0); }

Passing class_passing(Dwarf_Die type, std::string_view producer) {
  const auto convention = unsigned_attribute(type, DW_AT_calling_convention);
  if (convention == DW_CC_pass_by_value) return Passing::kByValue;
  if (convention == DW_CC_pass_by_reference) return Passing::kByReference;
  const bool is_told =
      producer.starts_with("GNU C++") && producer.find("-gstrict-dwarf") == std::string_view::npos;
  if (!is_told) return Passing::kUnknown;
  const Passing found = of_class(type, 0);
  // By either way such an object comes back in memory.
  const bool is_large = unsigned_attribute(type, DW_AT_byte_size).value_or(0) > kLargestInRegisters;
  return found == Passing::kUnknown && is_large ? Passing::kByReference : found;
}

}  // namespace nohalt::symbols
