// Source: DWARF 5, sections 5.1 (encodings), 5.7.6 (members), 5.13 (subranges);
// DWARF 3, section 5.5.4 (bit offsets from the most significant bit).
#include "probes/symbols/type_kinds.h"

#include "probes/symbols/die.h"

namespace nohalt::symbols {

TypeKind kind_of_tag(int tag) {
  switch (tag) {
    case DW_TAG_base_type:
      return TypeKind::kInteger;
    case DW_TAG_enumeration_type:
      return TypeKind::kEnum;
    case DW_TAG_pointer_type:
      return TypeKind::kPointer;
    case DW_TAG_reference_type:
    case DW_TAG_rvalue_reference_type:
      return TypeKind::kReference;
    case DW_TAG_array_type:
      return TypeKind::kArray;
    case DW_TAG_structure_type:
    case DW_TAG_class_type:
    case DW_TAG_interface_type:
      return TypeKind::kStruct;
    case DW_TAG_union_type:
      return TypeKind::kUnion;
    case DW_TAG_typedef:
    case DW_TAG_const_type:
    case DW_TAG_volatile_type:
    case DW_TAG_restrict_type:
    case DW_TAG_atomic_type:
    case DW_TAG_immutable_type:
    case DW_TAG_packed_type:
    case DW_TAG_shared_type:
    case DW_TAG_template_alias:
      return TypeKind::kTypedef;
    case DW_TAG_subroutine_type:
      return TypeKind::kFunction;
    case DW_TAG_ptr_to_member_type:
      return TypeKind::kMemberPointer;
    case DW_TAG_unspecified_type:
      return TypeKind::kUnspecified;
    default:
      return TypeKind::kUnknown;
  }
}

BaseKind base_kind(std::uint64_t encoding) {
  switch (encoding) {
    case DW_ATE_signed:
      return {TypeKind::kInteger, true};
    case DW_ATE_unsigned:
    case DW_ATE_address:
      return {TypeKind::kInteger, false};
    case DW_ATE_boolean:
      return {TypeKind::kBool, false};
    case DW_ATE_signed_char:
      return {TypeKind::kChar, true};
    case DW_ATE_unsigned_char:
    case DW_ATE_UTF:
    case DW_ATE_ASCII:
    case DW_ATE_UCS:
      return {TypeKind::kChar, false};
    case DW_ATE_float:
      return {TypeKind::kFloat, true};
    default:
      return {};
  }
}

const char* qualifier_of(int tag) {
  switch (tag) {
    case DW_TAG_const_type:
    case DW_TAG_immutable_type:
      return "const";
    case DW_TAG_volatile_type:
      return "volatile";
    case DW_TAG_restrict_type:
      return "restrict";
    case DW_TAG_atomic_type:
      return "_Atomic";
    case DW_TAG_packed_type:
      return "packed";
    case DW_TAG_shared_type:
      return "shared";
    default:
      return "";
  }
}

const char* pointer_mark(int tag) {
  if (tag == DW_TAG_reference_type) return "&";
  return tag == DW_TAG_rvalue_reference_type ? "&&" : "*";
}

std::int64_t enumerator_value(Dwarf_Die die) {
  std::optional<Dwarf_Attribute> value = attribute(die, DW_AT_const_value);
  if (!value) return 0;
  if (dwarf_whatform(&*value) == DW_FORM_udata)
    return static_cast<std::int64_t>(unsigned_attribute(die, DW_AT_const_value).value_or(0));
  return signed_attribute(die, DW_AT_const_value).value_or(0);
}

std::optional<std::uint64_t> dimension(Dwarf_Die die) {
  if (const auto count = unsigned_attribute(die, DW_AT_count)) return count;
  const auto upper = unsigned_attribute(die, DW_AT_upper_bound);
  if (!upper) return std::nullopt;
  // An upper bound of -1 is how some compilers write an array of nothing.
  return *upper - unsigned_attribute(die, DW_AT_lower_bound).value_or(0) + 1;
}

void place_member(Dwarf_Die die, Member& member) {
  const bool is_virtual = unsigned_attribute(die, DW_AT_virtuality).value_or(0) != 0;
  member.is_virtual_base = member.is_base_class && is_virtual;
  if (const auto offset = unsigned_attribute(die, DW_AT_data_member_location)) {
    member.byte_offset = *offset;
  } else if (std::optional<Dwarf_Attribute> location = attribute(die, DW_AT_data_member_location)) {
    Dwarf_Op* ops = nullptr;
    std::size_t count = 0;
    const bool is_constant = dwarf_getlocation(&*location, &ops, &count) == 0 && count == 1 &&
                             (ops->atom == DW_OP_plus_uconst || ops->atom == DW_OP_constu);
    if (is_constant)
      member.byte_offset = ops->number;
    else if (member.is_base_class)
      member.is_virtual_base = true;
  }
  const auto bits = unsigned_attribute(die, DW_AT_bit_size);
  if (!bits || *bits > 128) return;
  member.bit_size = static_cast<std::uint32_t>(*bits);
  if (const auto from_start = unsigned_attribute(die, DW_AT_data_bit_offset)) {
    member.bit_offset = *from_start;
  } else if (const auto from_top = unsigned_attribute(die, DW_AT_bit_offset)) {
    std::uint64_t unit = unsigned_attribute(die, DW_AT_byte_size).value_or(0);
    if (unit == 0) {
      std::optional<Dwarf_Die> type = referenced(die, DW_AT_type);
      Dwarf_Word size = 0;
      if (type && dwarf_aggregate_size(&*type, &size) == 0) unit = size;
    }
    member.bit_offset = member.byte_offset * 8 + unit * 8 - *from_top - *bits;
  } else {
    member.bit_offset = member.byte_offset * 8;
  }
  member.byte_offset = *member.bit_offset / 8;
}

}  // namespace nohalt::symbols
