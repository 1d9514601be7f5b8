// Operators: C's rules on what may stand beside what, and the conversions that
// come with it (C17 6.5). Results of comparisons are bool.
#include "probes/language/binder_impl.h"

namespace nohalt::language {

using symbols::strip_typedefs;

namespace {

bool is_comparison(BinaryOp op) { return op >= BinaryOp::kLess && op <= BinaryOp::kNotEqual; }
bool is_equality(BinaryOp op) { return op == BinaryOp::kEqual || op == BinaryOp::kNotEqual; }
bool is_shift(BinaryOp op) { return op == BinaryOp::kShiftLeft || op == BinaryOp::kShiftRight; }
bool integers_only(BinaryOp op) {
  return is_shift(op) || op == BinaryOp::kModulo ||
         (op >= BinaryOp::kBitAnd && op <= BinaryOp::kBitOr);
}
bool is_null(const Expr& value) { return value.kind == ExprKind::kInteger && value.integer == 0; }

ExprPtr join(ExprPtr expr, ExprPtr left, ExprPtr right) {
  expr->operands.push_back(std::move(left));
  expr->operands.push_back(std::move(right));
  return expr;
}

}  // namespace

Result<ExprPtr> Binder::unary(const Syntax& syntax) {
  NOHALT_TRY(ExprPtr operand, scalar(*syntax.operands[0]));
  ExprKind kind = ExprKind::kNegate;
  if (syntax.kind == SyntaxKind::kNot) {
    auto expr = make(ExprKind::kNot, syntax.span, types_.boolean());
    expr->operands.push_back(is_true(std::move(operand)));
    return expr;
  }
  if (!is_arithmetic(operand->type) ||
      (syntax.kind == SyntaxKind::kComplement && !is_integral(operand->type))) {
    return mismatch(syntax.mark, "this operator does not take a value of type '" +
                                     type_name(operand->type) + "'");
  }
  operand = promoted(std::move(operand));
  if (syntax.kind == SyntaxKind::kPlus) return operand;
  if (syntax.kind == SyntaxKind::kComplement) kind = ExprKind::kComplement;
  if (operand->kind == ExprKind::kInteger) {
    const std::uint64_t bits = kind == ExprKind::kNegate ? 0 - operand->integer : ~operand->integer;
    operand->integer = fit_integer(bits, operand->type);
    operand->span = syntax.span;
    return operand;
  }
  if (operand->kind == ExprKind::kFloating) {
    operand->floating = -operand->floating;
    operand->span = syntax.span;
    return operand;
  }
  auto expr = make(kind, syntax.span, operand->type);
  expr->operands.push_back(std::move(operand));
  return expr;
}

Result<ExprPtr> Binder::logical(const Syntax& syntax) {
  NOHALT_TRY(ExprPtr left, truth(*syntax.operands[0]));
  NOHALT_TRY(ExprPtr right, truth(*syntax.operands[1]));
  auto expr = make(ExprKind::kBinary, syntax.span, types_.boolean());
  expr->op = syntax.op;
  return join(std::move(expr), std::move(left), std::move(right));
}

Result<ExprPtr> Binder::binary(const Syntax& syntax) {
  if (syntax.op == BinaryOp::kAnd || syntax.op == BinaryOp::kOr) return logical(syntax);
  auto left = any(*syntax.operands[0]);
  if (!left && left.error().reason == "unknown-name" && is_comparison(syntax.op)) {
    // An enumerator's name means something beside a value of its enum.
    const auto other = any(*syntax.operands[1]);
    if (other) {
      auto again = any(*syntax.operands[0], (*other)->type);
      if (again) left = std::move(again);
    }
  }
  if (!left) return left;
  NOHALT_TRY(ExprPtr right, any(*syntax.operands[1], (*left)->type));
  if (is_comparison(syntax.op)) {
    return comparison(syntax, load(std::move(*left)), load(std::move(right)));
  }
  return arithmetic(syntax, decay(load(std::move(*left))), decay(load(std::move(right))));
}

Result<ExprPtr> Binder::text_comparison(const Syntax& syntax, ExprPtr left, ExprPtr right) {
  if (left->kind == ExprKind::kText) std::swap(left, right);
  const bool comparable = is_equality(syntax.op) && right->kind == ExprKind::kText &&
                          left->kind != ExprKind::kText && is_textual(left->type);
  if (!comparable) {
    return mismatch(syntax.mark,
                    "text is compared with == or != to a char *, a char [] or a std::string");
  }
  if (right->text.find('\0') != std::string::npos) {
    return mismatch(syntax.mark, "this text has a zero byte in it and equals no string");
  }
  if (is_pointer(left->type)) NOHALT_CHECK(stays_inside(left->span, *left, pointee(left->type)));
  auto expr = make(ExprKind::kTextCompare, syntax.span, types_.boolean());
  expr->op = syntax.op;
  expr->text = std::move(right->text);
  expr->operands.push_back(std::move(left));
  return expr;
}

Result<ExprPtr> Binder::comparison(const Syntax& syntax, ExprPtr left, ExprPtr right) {
  if (left->kind == ExprKind::kText || right->kind == ExprKind::kText) {
    return text_comparison(syntax, std::move(left), std::move(right));
  }
  left = decay(std::move(left));
  right = decay(std::move(right));
  for (const Expr* side : {left.get(), right.get()}) {
    if (is_scalar(side->type)) continue;
    const bool text = is_std_string(side->type);
    return mismatch(
        side->span, "a value of type '" + type_name(side->type) + "' cannot be compared",
        text ? "Compare it with a text, as in name == \"alice\"." : "Compare one of its members.");
  }
  const bool points_left = is_pointer(left->type);
  const bool points_right = is_pointer(right->type);
  if (points_left != points_right) {
    const bool null = points_left ? is_null(*right) : is_null(*left);
    const bool number = is_integral(points_left ? right->type : left->type);
    if (!number || (!null && !options_.allow_raw)) {
      return mismatch(syntax.mark, "a pointer is compared with a pointer or with 0");
    }
    if (points_left) right = convert(std::move(right), left->type);
    if (!points_left) left = convert(std::move(left), right->type);
  } else if (!points_left) {
    left = promoted(std::move(left));
    right = promoted(std::move(right));
    const Type* type = types_.common(left->type, right->type);
    left = convert(std::move(left), type);
    right = convert(std::move(right), type);
  }
  auto expr = make(ExprKind::kBinary, syntax.span, types_.boolean());
  expr->op = syntax.op;
  return join(std::move(expr), std::move(left), std::move(right));
}

Result<ExprPtr> Binder::arithmetic(const Syntax& syntax, ExprPtr left, ExprPtr right) {
  for (const Expr* side : {left.get(), right.get()}) {
    if (side->kind == ExprKind::kText) {
      return mismatch(side->span, "text can only be compared with == and !=");
    }
  }
  if (is_pointer(left->type) || is_pointer(right->type)) {
    return pointer_arithmetic(syntax, std::move(left), std::move(right));
  }
  for (const Expr* side : {left.get(), right.get()}) {
    const bool fits =
        integers_only(syntax.op) ? is_integral(side->type) : is_arithmetic(side->type);
    if (!fits) {
      return mismatch(side->span, "this operator does not take a value of type '" +
                                      type_name(side->type) + "'");
    }
  }
  left = promoted(std::move(left));
  right = promoted(std::move(right));
  const Type* type = is_shift(syntax.op) ? left->type : types_.common(left->type, right->type);
  if (!is_shift(syntax.op)) {
    left = convert(std::move(left), type);
    right = convert(std::move(right), type);
  }
  const bool divides = syntax.op == BinaryOp::kDivide || syntax.op == BinaryOp::kModulo;
  if (divides && is_null(*right)) return mismatch(syntax.mark, "this divides by zero");
  auto expr = make(ExprKind::kBinary, syntax.span, type);
  expr->op = syntax.op;
  return join(std::move(expr), std::move(left), std::move(right));
}

Result<ExprPtr> Binder::pointer_arithmetic(const Syntax& syntax, ExprPtr left, ExprPtr right) {
  if (syntax.op != BinaryOp::kAdd && syntax.op != BinaryOp::kSubtract) {
    return mismatch(syntax.mark, "this operator does not take pointers");
  }
  if (!options_.allow_raw) return needs_raw(syntax.mark, "this is pointer arithmetic");
  if (is_pointer(right->type) && syntax.op == BinaryOp::kAdd) std::swap(left, right);
  if (!is_pointer(left->type) || !is_integral(right->type)) {
    return mismatch(syntax.mark, "only an integer can be added to a pointer");
  }
  const Type* target = pointee(left->type);
  if (target == nullptr || strip_typedefs(target)->byte_size == 0) {
    return mismatch(syntax.mark, "the size of what this points to is not known");
  }
  right = convert(promoted(std::move(right)), types_.integer(8, true));
  if (syntax.op == BinaryOp::kSubtract) {
    auto negated = make(ExprKind::kNegate, right->span, right->type);
    negated->operands.push_back(std::move(right));
    right = std::move(negated);
  }
  auto expr = make(ExprKind::kAdvance, syntax.span, left->type);
  return join(std::move(expr), std::move(left), std::move(right));
}

Result<ExprPtr> Binder::conditional(const Syntax& syntax) {
  NOHALT_TRY(ExprPtr test, truth(*syntax.operands[0]));
  NOHALT_TRY(ExprPtr second, scalar(*syntax.operands[1]));
  NOHALT_TRY(ExprPtr third, scalar(*syntax.operands[2]));
  const Type* type = second->type;
  if (is_arithmetic(second->type) && is_arithmetic(third->type)) {
    const bool both_bool = strip_typedefs(second->type)->kind == TypeKind::kBool &&
                           strip_typedefs(third->type)->kind == TypeKind::kBool;
    if (!both_bool && strip_typedefs(second->type) != strip_typedefs(third->type)) {
      type = types_.common(second->type, third->type);
    }
  } else if (is_pointer(second->type) && is_null(*third)) {
    type = second->type;
  } else if (is_pointer(third->type) && is_null(*second)) {
    type = third->type;
  } else if (pointee(second->type) == nullptr || pointee(third->type) == nullptr ||
             strip_typedefs(pointee(second->type)) != strip_typedefs(pointee(third->type))) {
    return mismatch(syntax.mark, "the two sides of ':' have different types, '" +
                                     type_name(second->type) + "' and '" + type_name(third->type) +
                                     "'");
  }
  auto expr = make(ExprKind::kConditional, syntax.span, type);
  expr->operands.push_back(std::move(test));
  return join(std::move(expr), convert(std::move(second), type), convert(std::move(third), type));
}

Result<ExprPtr> Binder::length(const Syntax& syntax) {
  NOHALT_TRY(ExprPtr operand, value(*syntax.operands[0]));
  const Type* type = types_.integer(8, false);
  const Type* real = strip_typedefs(operand->type);
  if (operand->kind == ExprKind::kText ||
      (real->kind == TypeKind::kArray && real->element_count && !is_textual(real))) {
    auto expr = make(ExprKind::kInteger, syntax.span, type);
    expr->integer = operand->kind == ExprKind::kText ? operand->text.size() : *real->element_count;
    return expr;
  }
  const bool is_object = operand->kind == ExprKind::kLoad && is_record(real);
  if (!is_object && !is_textual(operand->type)) {
    return mismatch(syntax.operands[0]->span,
                    "len() takes text, an array or a container, not a value of type '" +
                        type_name(operand->type) + "'");
  }
  if (is_pointer(operand->type))
    NOHALT_CHECK(stays_inside(operand->span, *operand, pointee(operand->type)));
  auto expr = make(ExprKind::kLength, syntax.span, type);
  expr->operands.push_back(std::move(operand));
  return expr;
}

Result<ExprPtr> Binder::text_test(const Syntax& syntax) {
  NOHALT_TRY(ExprPtr text, value(*syntax.operands[0]));
  NOHALT_TRY(ExprPtr wanted, value(*syntax.operands[1]));
  const std::string name = syntax.op == BinaryOp::kContains ? "contains()" : "starts_with()";
  if (text->kind == ExprKind::kText || !is_textual(text->type)) {
    return mismatch(syntax.operands[0]->span,
                    name + " takes a char *, a char [] or a string, not a value of type '" +
                        type_name(text->type) + "'");
  }
  if (wanted->kind != ExprKind::kText || wanted->text.empty()) {
    return mismatch(syntax.operands[1]->span, name + " looks for a text such as \"user:\"");
  }
  if (wanted->text.find('\0') != std::string::npos) {
    return mismatch(syntax.operands[1]->span,
                    "this text has a zero byte in it and is in no string");
  }
  if (is_pointer(text->type)) NOHALT_CHECK(stays_inside(text->span, *text, pointee(text->type)));
  auto expr = make(ExprKind::kTextCompare, syntax.span, types_.boolean());
  expr->op = syntax.op;
  expr->text = std::move(wanted->text);
  expr->operands.push_back(std::move(text));
  return expr;
}

}  // namespace nohalt::language
