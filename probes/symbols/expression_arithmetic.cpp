// Operations on numbers. The same name stands for different ones by the type of
// its operands (DWARF 5, section 2.5.1.4).
#include <dwarf.h>

#include "probes/symbols/expression_translator.h"

namespace nohalt::symbols {

// Brings a typed result back to its size.
void Translator::normalize() {
  const ValueType type = stack_.back();
  if (type.is_generic || type.size >= 8) return;
  program_.push_back({.kind = type.is_signed ? OpKind::kConvertSigned : OpKind::kConvertUnsigned,
                      .size = type.size});
}

void Translator::binary(OpKind kind) {
  if (!need(2)) return;
  const ValueType right = stack_.back();
  stack_.pop_back();
  if (stack_.back().is_generic) stack_.back() = right;
  emit(kind);
  normalize();
}

// Comparisons are signed; unsigned 64-bit ones are made so by flipping the
// sign bits of both sides.
void Translator::compare(OpKind kind) {
  if (!need(2)) return;
  const ValueType type = stack_.back();
  const bool is_equality = kind == OpKind::kEq || kind == OpKind::kNe;
  if (!is_equality && !type.is_generic && !type.is_signed && type.size == 8) {
    for (int side = 0; side < 2; ++side) {
      emit(OpKind::kConstant, std::uint64_t{1} << 63U);
      emit(OpKind::kXor);
      emit(OpKind::kSwap);
    }
  }
  stack_.pop_back();
  stack_.back() = {};
  emit(kind);
}

void Translator::divide() {
  if (!need(2)) return;
  const ValueType type = stack_.back();
  if (!type.is_generic && !type.is_signed && type.size == 8)
    return give_up(unsupported("unsigned 64-bit division"));
  binary(OpKind::kDivSigned);
}

void Translator::modulo() {
  if (!need(2)) return;
  const ValueType type = stack_.back();
  if (type.is_generic || !type.is_signed) return binary(OpKind::kModUnsigned);
  // a - (a / b) * b
  for (const OpKind kind : {OpKind::kOver, OpKind::kOver, OpKind::kDivSigned, OpKind::kMul})
    emit(kind);
  binary(OpKind::kMinus);
}

void Translator::shift_right(bool arithmetic) {
  if (!need(2)) return;
  stack_.pop_back();
  const ValueType type = stack_.back();
  if (!type.is_generic && type.size < 8 && type.is_signed != arithmetic) {
    emit(OpKind::kSwap);
    program_.push_back({.kind = arithmetic ? OpKind::kConvertSigned : OpKind::kConvertUnsigned,
                        .size = type.size});
    emit(OpKind::kSwap);
  }
  emit(arithmetic ? OpKind::kShra : OpKind::kShr);
  normalize();
}

bool Translator::step_arithmetic(const Dwarf_Op& op) {
  switch (op.atom) {
    case DW_OP_plus:
      binary(OpKind::kPlus);
      return true;
    case DW_OP_minus:
      binary(OpKind::kMinus);
      return true;
    case DW_OP_mul:
      binary(OpKind::kMul);
      return true;
    case DW_OP_and:
      binary(OpKind::kAnd);
      return true;
    case DW_OP_or:
      binary(OpKind::kOr);
      return true;
    case DW_OP_xor:
      binary(OpKind::kXor);
      return true;
    case DW_OP_div:
      divide();
      return true;
    case DW_OP_mod:
      modulo();
      return true;
    case DW_OP_eq:
      compare(OpKind::kEq);
      return true;
    case DW_OP_ne:
      compare(OpKind::kNe);
      return true;
    case DW_OP_lt:
      compare(OpKind::kLtSigned);
      return true;
    case DW_OP_le:
      compare(OpKind::kLeSigned);
      return true;
    case DW_OP_gt:
      compare(OpKind::kGtSigned);
      return true;
    case DW_OP_ge:
      compare(OpKind::kGeSigned);
      return true;
    case DW_OP_shr:
      shift_right(false);
      return true;
    case DW_OP_shra:
      shift_right(true);
      return true;
    case DW_OP_shl:
      if (!need(2)) return true;
      stack_.pop_back();
      emit(OpKind::kShl);
      normalize();
      return true;
    case DW_OP_abs:
    case DW_OP_neg:
    case DW_OP_not:
      if (!need(1)) return true;
      emit(op.atom == DW_OP_abs ? OpKind::kAbs
                                : (op.atom == DW_OP_neg ? OpKind::kNeg : OpKind::kNot));
      normalize();
      return true;
    default:
      return false;
  }
}

}  // namespace nohalt::symbols
