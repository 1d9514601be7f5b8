// A walk over the bound tree. Where C leaves the result undefined (dividing by
// zero, shifting too far, a float beyond the integer's range) there is no value.
#include "probes/records/values/evaluator.h"

#include <cmath>

#include "probes/language/binder_impl.h"

namespace nohalt::values {

using language::BinaryOp;
using language::Expr;
using language::ExprKind;
using language::fit_integer;
using language::Type;
using symbols::strip_typedefs;
using symbols::TypeKind;

namespace {

Why why_absent(const Value& value) {
  return {value.state, value.why, value.rule, value.is_dropped};
}

}  // namespace

std::nullopt_t Evaluator::give_up(Why why) {
  why_ = std::move(why);
  return std::nullopt;
}

std::nullopt_t Evaluator::give_up(ValueState state, std::string why) {
  return give_up(Why{state, std::move(why)});
}

const Node* Evaluator::node_of(const Expr& expr) const {
  const auto found = layout_.node_of.find(&expr);
  return found == layout_.node_of.end() ? nullptr : &layout_.nodes[found->second];
}

Value Evaluator::value(const Expr& expr) {
  if (const Node* node = node_of(expr)) return reader_.read(*node);
  Value value;
  value.type = language::type_name(expr.type);
  if (expr.kind == ExprKind::kText) {
    value.kind = Value::Kind::kText;
    value.state = ValueState::kExact;
    value.text = expr.text;
    return value;
  }
  const auto result = number(expr);
  if (!result) return absent(expr.type, why_);
  const Type* real = strip_typedefs(expr.type);
  value.state = result->at_least ? ValueState::kTruncated : ValueState::kExact;
  if (result->at_least) value.why = "at least; the text is longer than is captured";
  value.byte_size = static_cast<std::uint32_t>(real->byte_size);
  value.is_signed = language::is_signed(real);
  value.bits = result->bits;
  value.floating = result->floating;
  switch (real->kind) {
    case TypeKind::kFloat:
      value.kind = Value::Kind::kFloat;
      break;
    case TypeKind::kBool:
      value.kind = Value::Kind::kBool;
      break;
    case TypeKind::kChar:
      value.kind = Value::Kind::kChar;
      break;
    case TypeKind::kPointer:
      value.kind = Value::Kind::kPointer;
      break;
    case TypeKind::kEnum:
      value.kind = Value::Kind::kEnum;
      value.text = enum_name(real, value.bits);
      break;
    default:
      value.kind = Value::Kind::kInteger;
      break;
  }
  return value;
}

std::optional<Evaluator::Number> Evaluator::captured(const Node& node) {
  if (language::is_floating(node.type)) {
    Why why;
    const auto bytes = reader_.scalar_bytes(node, why);
    if (bytes.empty()) return give_up(std::move(why));
    return Number{0, float_from(bytes), false};
  }
  const Value value = reader_.read(node);
  if (!value.is_there()) return give_up(why_absent(value));
  return Number{value.bits, 0, false};
}

Evaluator::Number Evaluator::convert(Number from, const Type* type, const Type* to) const {
  const Type* target = strip_typedefs(to);
  if (language::is_floating(type)) {
    if (language::is_floating(target)) {
      if (target->byte_size == 4) from.floating = static_cast<float>(from.floating);
      if (target->byte_size == 8) from.floating = static_cast<double>(from.floating);
      return from;
    }
    if (target->kind == TypeKind::kBool) return {from.floating != 0 ? 1U : 0U, 0, false};
    const std::uint64_t bits =
        from.floating < 0 ? static_cast<std::uint64_t>(static_cast<std::int64_t>(from.floating))
                          : static_cast<std::uint64_t>(from.floating);
    return {fit_integer(bits, target), 0, false};
  }
  if (!language::is_floating(target)) return {fit_integer(from.bits, target), 0, from.at_least};
  long double number = language::is_signed(type)
                           ? static_cast<long double>(static_cast<std::int64_t>(from.bits))
                           : static_cast<long double>(from.bits);
  if (target->byte_size == 4) number = static_cast<float>(number);
  if (target->byte_size == 8) number = static_cast<double>(number);
  return {0, number, from.at_least};
}

namespace {

// Whether a float has a value in this integer type once its fraction is cut.
bool in_range(long double number, const Type* type) {
  const Type* real = strip_typedefs(type);
  if (real->kind == TypeKind::kBool) return true;
  const int bits = static_cast<int>(8 * real->byte_size);
  const long double limit = std::ldexp(1.0L, language::is_signed(real) ? bits - 1 : bits);
  const long double lowest = language::is_signed(real) ? -limit : 0;
  const long double whole = std::trunc(number);
  return whole >= lowest && whole < limit;  // false for NaN
}

}  // namespace

std::optional<Evaluator::Number> Evaluator::number(const Expr& expr) {
  if (const Node* node = node_of(expr)) return captured(*node);
  switch (expr.kind) {
    case ExprKind::kInteger:
      return Number{fit_integer(expr.integer, expr.type), 0, false};
    case ExprKind::kFloating:
      return Number{0, expr.floating, false};
    case ExprKind::kHitPid:
      return Number{static_cast<std::uint64_t>(facts_.pid), 0, false};
    case ExprKind::kHitTid:
      return Number{static_cast<std::uint64_t>(facts_.tid), 0, false};
    case ExprKind::kTextCompare:
      return compare_text(expr);
    case ExprKind::kLength:
      return text_length(expr);
    case ExprKind::kBinary:
      return binary(expr);
    default:
      break;
  }
  if (expr.operands.empty()) return give_up(ValueState::kUnavailable, "it was not captured");
  const auto first = number(expr.operand());
  if (!first) return std::nullopt;
  const bool floating = language::is_floating(expr.type);
  switch (expr.kind) {
    case ExprKind::kConditional:
      return number(expr.operand(first->bits != 0 ? 1 : 2));
    case ExprKind::kConvert: {
      const Type* from = expr.operand().type;
      if (language::is_floating(from) && !floating && !in_range(first->floating, expr.type)) {
        return give_up(ValueState::kUnavailable, "the number does not fit the integer type");
      }
      return convert(*first, from, expr.type);
    }
    case ExprKind::kOffset:
      return Number{first->bits == 0 ? 0 : first->bits + expr.integer, 0, false};
    case ExprKind::kNot:
      return Number{first->bits == 0 ? 1U : 0U, 0, false};
    case ExprKind::kComplement:
      return Number{fit_integer(~first->bits, expr.type), 0, false};
    case ExprKind::kNegate:
      return Number{floating ? 0 : fit_integer(0 - first->bits, expr.type), -first->floating,
                    false};
    default:
      return give_up(ValueState::kUnavailable, "it was not captured");
  }
}

std::optional<Evaluator::Number> Evaluator::logical(const Expr& expr) {
  const bool decides = expr.op == BinaryOp::kOr;
  const auto left = number(expr.operand(0));
  if (!left) return std::nullopt;
  if ((left->bits != 0) == decides) return Number{decides ? 1U : 0U, 0, false};
  return number(expr.operand(1));
}

namespace {

template <class T>
bool compares(BinaryOp op, T left, T right) {
  switch (op) {
    case BinaryOp::kLess:
      return left < right;
    case BinaryOp::kLessEqual:
      return left <= right;
    case BinaryOp::kGreater:
      return left > right;
    case BinaryOp::kGreaterEqual:
      return left >= right;
    case BinaryOp::kEqual:
      return left == right;
    default:
      return left != right;
  }
}

template <class T>
long double compute(BinaryOp op, long double left, long double right) {
  const T a = static_cast<T>(left);
  const T b = static_cast<T>(right);
  switch (op) {
    case BinaryOp::kMultiply:
      return a * b;
    case BinaryOp::kDivide:
      return a / b;
    case BinaryOp::kAdd:
      return a + b;
    default:
      return a - b;
  }
}

}  // namespace

std::optional<Evaluator::Number> Evaluator::binary(const Expr& expr) {
  if (expr.op >= BinaryOp::kAnd) return logical(expr);
  const auto left = number(expr.operand(0));
  if (!left) return std::nullopt;
  const auto right = number(expr.operand(1));
  if (!right) return std::nullopt;
  const Type* type = expr.operand(0).type;
  const bool comparison = expr.op >= BinaryOp::kLess && expr.op <= BinaryOp::kNotEqual;
  if (comparison && (left->at_least || right->at_least)) {
    return give_up(ValueState::kUnavailable, "the text is longer than is captured");
  }
  if (comparison) {
    const bool yes =
        language::is_floating(type) ? compares(expr.op, left->floating, right->floating)
        : language::is_signed(type) ? compares(expr.op, static_cast<std::int64_t>(left->bits),
                                               static_cast<std::int64_t>(right->bits))
                                    : compares(expr.op, left->bits, right->bits);
    return Number{yes ? 1U : 0U, 0, false};
  }
  if (!language::is_floating(type)) return integer_binary(expr, *left, *right);
  switch (strip_typedefs(type)->byte_size) {
    case 4:
      return Number{0, compute<float>(expr.op, left->floating, right->floating), false};
    case 8:
      return Number{0, compute<double>(expr.op, left->floating, right->floating), false};
    default:
      return Number{0, compute<long double>(expr.op, left->floating, right->floating), false};
  }
}

std::optional<Evaluator::Number> Evaluator::integer_binary(const Expr& expr, Number left,
                                                           Number right) {
  const bool is_signed = language::is_signed(expr.type);
  const std::uint64_t a = left.bits;
  const std::uint64_t b = right.bits;
  const auto done = [&](std::uint64_t bits) {
    return Number{fit_integer(bits, expr.type), 0, left.at_least || right.at_least};
  };
  switch (expr.op) {
    case BinaryOp::kMultiply:
      return done(a * b);
    case BinaryOp::kAdd:
      return done(a + b);
    case BinaryOp::kSubtract:
      return done(a - b);
    case BinaryOp::kBitAnd:
      return done(a & b);
    case BinaryOp::kBitOr:
      return done(a | b);
    case BinaryOp::kBitXor:
      return done(a ^ b);
    case BinaryOp::kDivide:
    case BinaryOp::kModulo: {
      if (b == 0) return give_up(ValueState::kUnavailable, "it divides by zero");
      const bool divide = expr.op == BinaryOp::kDivide;
      if (!is_signed) return done(divide ? a / b : a % b);
      // By magnitudes, so that the smallest number by -1 wraps as it does in
      // a program instead of trapping here.
      const bool minus_a = static_cast<std::int64_t>(a) < 0;
      const bool minus_b = static_cast<std::int64_t>(b) < 0;
      const std::uint64_t x = minus_a ? 0 - a : a;
      const std::uint64_t y = minus_b ? 0 - b : b;
      const std::uint64_t result = divide ? x / y : x % y;
      return done((divide ? minus_a != minus_b : minus_a) ? 0 - result : result);
    }
    case BinaryOp::kShiftLeft:
    case BinaryOp::kShiftRight: {
      if (b >= 8 * strip_typedefs(expr.type)->byte_size) {
        return give_up(ValueState::kUnavailable, "it shifts by more than the width");
      }
      if (expr.op == BinaryOp::kShiftLeft) return done(a << b);
      return done(is_signed ? static_cast<std::uint64_t>(static_cast<std::int64_t>(a) >> b)
                            : a >> b);
    }
    default:
      return give_up(ValueState::kUnavailable, "it is not computed");
  }
}

std::optional<Value> Evaluator::text_of(const Expr& expr) {
  const Node* node = node_of(expr);
  if (node == nullptr) return give_up(ValueState::kUnavailable, "it was not captured");
  Value value = reader_.read(*node);
  if (value.kind == Value::Kind::kPointer) {
    if (value.bits == 0) return give_up(ValueState::kUnreadable, "it is null");
    if (value.target.empty()) return give_up(ValueState::kUnavailable, "its text was not captured");
    value = std::move(value.target[0]);
  }
  if (value.kind == Value::Kind::kText) return value;
  if (value.is_there()) return give_up(ValueState::kUnavailable, "it is not text");
  return give_up(why_absent(value));
}

namespace {

// Whether the text is as is asked; nothing: what was cut off of it would tell.
std::optional<bool> holds(const Expr& expr, const Value& text) {
  const std::string& wanted = expr.text;
  const bool is_cut = text.state == ValueState::kTruncated;
  const bool may_begin =
      is_cut && wanted.size() > text.text.size() && wanted.starts_with(text.text);
  switch (expr.op) {
    case BinaryOp::kContains:
      if (text.text.find(wanted) != std::string::npos) return true;
      return is_cut ? std::nullopt : std::optional(false);
    case BinaryOp::kStartsWith:
      return may_begin ? std::nullopt : std::optional(text.text.starts_with(wanted));
    default:
      if (may_begin) return std::nullopt;
      return (!is_cut && text.text == wanted) == (expr.op == BinaryOp::kEqual);
  }
}

}  // namespace

std::optional<Evaluator::Number> Evaluator::compare_text(const Expr& expr) {
  const auto text = text_of(expr.operand());
  if (!text) return std::nullopt;
  const auto answer = holds(expr, *text);
  if (!answer) return give_up(ValueState::kUnavailable, "the text is longer than is captured");
  return Number{*answer ? 1U : 0U, 0, false};
}

std::optional<Evaluator::Number> Evaluator::text_length(const Expr& expr) {
  const auto text = text_of(expr.operand());
  if (!text) return std::nullopt;
  return Number{text->text.size(), 0, text->state == ValueState::kTruncated};
}

}  // namespace nohalt::values
