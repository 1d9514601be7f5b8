// Casts. Without the right `raw` a cast must not let anyone read memory as
// something it is not: it may give a type to a void* or char*, follow
// inheritance, or convert a number. A cast back and forth does not launder:
// what counts is the type the pointer had before any cast. And a pointer that the
// expression makes, with & or of an array, leads to what it was made of and no further:
// its neighbour may be what a rule hides.
#include "probes/language/binder_impl.h"

namespace nohalt::language {

using symbols::Member;
using symbols::strip_typedefs;

namespace {

// Where a base lies in a record, from its first byte; through several levels.
std::optional<std::uint64_t> base_offset(const Type* record, const Type* base, int depth = 0) {
  const Type* real = strip_typedefs(record);
  if (real == base) return 0;
  if (depth > 16) return std::nullopt;
  for (const Member& member : real->members) {
    if (!member.is_base_class || member.is_virtual_base || member.type == nullptr) continue;
    if (const auto inner = base_offset(member.type, base, depth + 1)) {
      return member.byte_offset + *inner;
    }
  }
  return std::nullopt;
}

const Type* before_casts(const Expr& value) {
  const bool cast = value.kind == ExprKind::kConvert || value.kind == ExprKind::kOffset;
  return cast ? before_casts(value.operand()) : value.type;
}

bool same_type(const Type* a, const Type* b) {
  return a == b || (a->kind == b->kind && a->name == b->name && a->byte_size == b->byte_size &&
                    !a->name.empty());
}

}  // namespace

const Expr* made_of(const Expr& pointer) {
  switch (pointer.kind) {
    case ExprKind::kAddress:
      return &pointer.operand();
    case ExprKind::kConvert:
    case ExprKind::kOffset:
      return made_of(pointer.operand());
    case ExprKind::kConditional: {
      const Expr* first = made_of(pointer.operand(1));
      return first != nullptr ? first : made_of(pointer.operand(2));
    }
    default:
      return nullptr;
  }
}

Status Binder::stays_inside(Span mark, const Expr& pointer, const Type* to) const {
  const Expr* place = made_of(pointer);
  if (place == nullptr || options_.allow_raw) return {};
  const Type* whole = strip_typedefs(place->type);
  // Of a flexible array only its text says where it ends.
  if (whole->kind == TypeKind::kArray && !whole->element_count) return {};
  const Type* real = strip_typedefs(to);
  if (is_byte_char(real))
    return needs_raw(mark, "how far the text at this address goes is not known");
  if (real->byte_size > whole->byte_size)
    return needs_raw(mark, "this cast leads past the end of what it takes the address of");
  return {};
}

Result<const Type*> Binder::written_type(const Syntax& syntax) {
  std::string base = syntax.text;
  std::size_t stars = 0;
  while (!base.empty() && (base.back() == '*' || base.back() == ' ')) {
    if (base.back() == '*') ++stars;
    base.pop_back();
  }
  for (const std::string_view word : {"const ", "volatile "}) {
    while (base.starts_with(word)) base.erase(0, word.size());
  }
  const Type* type = types_.by_name(base);
  if (type == nullptr) type = scope_.find_type(base);
  for (const std::string_view word : {"struct ", "union ", "enum ", "class "}) {
    if (type == nullptr && base.starts_with(word))
      type = scope_.find_type(base.substr(word.size()));
  }
  if (type == nullptr) {
    return fail_at(source_, syntax.mark, "unknown-type",
                   "there is no type '" + base + "' in this program");
  }
  for (; stars > 0; --stars) type = types_.pointer_to(type);
  return type;
}

Result<ExprPtr> Binder::cast(const Syntax& syntax) {
  NOHALT_TRY(const Type* target, written_type(syntax));
  NOHALT_TRY(ExprPtr operand, scalar(*syntax.operands[0]));
  if (!is_scalar(target)) {
    return mismatch(syntax.mark, "a value cannot be cast to '" + type_name(target) + "'");
  }
  if (is_pointer(target)) return pointer_cast(syntax, std::move(operand), target);
  if (is_pointer(operand->type)) {
    if (is_floating(target)) {
      return mismatch(syntax.mark, "a pointer cannot be cast to '" + type_name(target) + "'");
    }
    return convert(std::move(operand), target);
  }
  return convert(std::move(operand), target);
}

Result<ExprPtr> Binder::pointer_cast(const Syntax& syntax, ExprPtr operand, const Type* target) {
  const auto plain = [&]() -> ExprPtr {
    auto expr = make(ExprKind::kConvert, syntax.span, target);
    expr->operands.push_back(std::move(operand));
    return expr;
  };
  if (!is_pointer(operand->type)) {
    if (is_floating(operand->type)) {
      return mismatch(syntax.mark, "a floating-point number cannot be cast to a pointer");
    }
    const bool null = operand->kind == ExprKind::kInteger && operand->integer == 0;
    if (!null && !options_.allow_raw) {
      return needs_raw(syntax.mark, "this cast makes a pointer of a number");
    }
    return plain();
  }
  const Type* known = before_casts(*operand);
  const Type* from = pointee(is_pointer(known) ? known : operand->type);
  const Type* to = pointee(target);
  if (from == nullptr || to == nullptr) return plain();
  from = strip_typedefs(from);
  to = strip_typedefs(to);
  const bool untyped = from->kind == TypeKind::kVoid || is_byte_char(from);
  const bool forgets = to->kind == TypeKind::kVoid;
  if (!forgets) NOHALT_CHECK(stays_inside(syntax.mark, *operand, to));
  if (untyped || forgets || same_type(from, to)) return plain();
  const Type* here = strip_typedefs(pointee(operand->type));
  const auto up = base_offset(here, to);
  const auto down = base_offset(to, here);
  // By way of a common base one class may not be taken for another.
  const bool related = base_offset(from, to) || base_offset(to, from);
  if ((up || down) && (related || options_.allow_raw)) {
    auto expr = make(ExprKind::kOffset, syntax.span, target);
    expr->integer = up ? *up : 0 - *down;
    expr->operands.push_back(std::move(operand));
    return expr;
  }
  if (options_.allow_raw) return plain();
  return needs_raw(syntax.mark, "this cast replaces the known type '" + type_name(known) + "'");
}

}  // namespace nohalt::language
