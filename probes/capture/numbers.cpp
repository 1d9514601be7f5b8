#include "probes/capture/numbers.h"

#include <algorithm>

#include "probes/capture/containers/recognise.h"
#include "probes/language/binder_impl.h"

namespace nohalt::capture {

using language::Expr;
using language::ExprKind;
using symbols::strip_typedefs;
using symbols::Type;
using symbols::TypeKind;

namespace {

bool is_typed_place(const Expr& place);

// An address that leads to what its type says.
bool is_typed_pointer(const Expr& pointer) {
  switch (pointer.kind) {
    case ExprKind::kLoad:
    case ExprKind::kAddress:
      return is_typed_place(pointer.operand());
    case ExprKind::kConvert: {
      const Type* to = language::pointee(pointer.type);
      const Type* from = language::pointee(pointer.operand().type);
      return to != nullptr && from != nullptr && strip_typedefs(to) == strip_typedefs(from) &&
             is_typed_pointer(pointer.operand());
    }
    default:
      return false;
  }
}

bool is_inside_array(const Expr& element) {
  const auto count = strip_typedefs(element.operand().type)->element_count;
  if (!count) return false;
  const auto index = language::constant_integer(element.operand(1));
  return index ? *index < *count : reads_numbers(element.operand(1));
}

bool is_typed_place(const Expr& place) {
  switch (place.kind) {
    case ExprKind::kVariable:
      return true;
    case ExprKind::kMember:
      return !containers::recognise_text(place.operand().type) && is_typed_place(place.operand());
    case ExprKind::kElement:
      return is_inside_array(place) && is_typed_place(place.operand());
    case ExprKind::kDereference:
      return is_typed_pointer(place.operand());
    default:
      return false;
  }
}

}  // namespace

bool is_number(const Type* type, Standing standing) {
  if (language::text_unit(type) != 0) return false;
  const Type* real = strip_typedefs(type);
  switch (real->kind) {
    case TypeKind::kBool:
    case TypeKind::kFloat:
      return true;
    case TypeKind::kInteger:
      return real->byte_size > 1;
    case TypeKind::kEnum:
      return real->byte_size > 1 || standing == Standing::kAlone;
    default:
      return false;
  }
}

bool has_parts(const Type* type) {
  const Type* real = strip_typedefs(type);
  return real->kind == TypeKind::kArray || language::is_record(real);
}

bool reads_numbers(const Expr& value) {
  const auto all_operands = [&] {
    return std::ranges::all_of(value.operands,
                               [](const auto& operand) { return reads_numbers(*operand); });
  };
  switch (value.kind) {
    case ExprKind::kInteger:
    case ExprKind::kFloating:
    case ExprKind::kText:
    case ExprKind::kHitPid:
    case ExprKind::kHitTid:
      return true;
    case ExprKind::kLoad: {
      const bool in_row = value.operand().kind == ExprKind::kElement;
      const bool fits = has_parts(value.type) ||
                        is_number(value.type, in_row ? Standing::kInRow : Standing::kAlone);
      return fits && is_typed_place(value.operand());
    }
    case ExprKind::kConvert:
      return !language::is_pointer(value.type) && all_operands();
    case ExprKind::kNegate:
    case ExprKind::kNot:
    case ExprKind::kComplement:
    case ExprKind::kBinary:
    case ExprKind::kConditional:
      return all_operands();
    default:
      return false;
  }
}

}  // namespace nohalt::capture
