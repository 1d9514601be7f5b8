// What an expression says of types: values pushed with one, and conversions. Only
// integers of at most eight bytes can be had.
#include <dwarf.h>

#include <cstring>

#include "probes/symbols/expression_translator.h"

namespace nohalt::symbols {

std::optional<ValueType> Translator::type_of(const Dwarf_Op& op) {
  Dwarf_Die die;
  if (context_.attribute == nullptr || dwarf_getlocation_die(context_.attribute, &op, &die) != 0)
    return std::nullopt;
  const int size = dwarf_bytesize(&die);
  Dwarf_Attribute attribute;
  Dwarf_Word encoding = 0;
  if (size < 1 || size > 8 || dwarf_attr(&die, DW_AT_encoding, &attribute) == nullptr ||
      dwarf_formudata(&attribute, &encoding) != 0)
    return std::nullopt;
  switch (encoding) {
    case DW_ATE_signed:
    case DW_ATE_signed_char:
      return ValueType{static_cast<std::uint8_t>(size), true, false};
    case DW_ATE_unsigned:
    case DW_ATE_unsigned_char:
    case DW_ATE_boolean:
    case DW_ATE_address:
    case DW_ATE_UTF:
      return ValueType{static_cast<std::uint8_t>(size), false, false};
    default:
      return std::nullopt;
  }
}

void Translator::convert(const Dwarf_Op& op) {
  if (!need(1)) return;
  if (op.number == 0) {
    stack_.back() = {};
    return;
  }
  const std::optional<ValueType> type = type_of(op);
  if (!type) return give_up(unsupported("conversion to a type that is no integer"));
  stack_.back() = *type;
  normalize();
}

bool Translator::step_typed(const Dwarf_Op& op) {
  switch (op.atom) {
    case DW_OP_convert:
    case DW_OP_GNU_convert:
    case DW_OP_reinterpret:
    case DW_OP_GNU_reinterpret:
      convert(op);
      return true;
    case DW_OP_regval_type:
    case DW_OP_GNU_regval_type:
    case DW_OP_deref_type:
    case DW_OP_GNU_deref_type:
    case DW_OP_const_type:
    case DW_OP_GNU_const_type:
      break;
    default:
      return false;
  }
  if (const std::optional<ValueType> type = type_of(op))
    push_typed(op, *type);
  else
    give_up(unsupported("a typed value that is no integer"));
  return true;
}

void Translator::push_typed(const Dwarf_Op& op, ValueType type) {
  if (op.atom == DW_OP_regval_type || op.atom == DW_OP_GNU_regval_type) {
    push_register(op.number);
  } else if (op.atom == DW_OP_deref_type || op.atom == DW_OP_GNU_deref_type) {
    dereference(type.size);
  } else {
    Dwarf_Attribute target;
    Dwarf_Block block{};
    std::uint64_t value = 0;
    if (dwarf_getlocation_attr(context_.attribute, &op, &target) != 0 ||
        dwarf_formblock(&target, &block) != 0 || block.length > sizeof value)
      return give_up(unsupported("typed constant"));
    std::memcpy(&value, block.data, block.length);
    push_constant(value);
  }
  if (failure_) return;
  stack_.back() = type;
  normalize();
}

}  // namespace nohalt::symbols
