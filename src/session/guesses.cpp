#include "src/session/guesses.h"

#include <algorithm>
#include <string>

#include "probes/language/binder_impl.h"
#include "probes/records/values/decode.h"
#include "src/output/redact.h"
#include "src/session/shown_value.h"
#include "src/session/slices.h"

namespace nohalt::session {

namespace {

using language::BinaryOp;
using language::Expr;
using language::ExprKind;
using symbols::strip_typedefs;

// Smaller numbers are control characters, of which no secret is made.
constexpr std::uint64_t kFirstLetter = ' ';

bool is_comparison(const Expr& expr) {
  if (expr.kind != ExprKind::kBinary) return false;
  switch (expr.op) {
    case BinaryOp::kEqual:
    case BinaryOp::kNotEqual:
    case BinaryOp::kLess:
    case BinaryOp::kLessEqual:
    case BinaryOp::kGreater:
    case BinaryOp::kGreaterEqual:
      return true;
    default:
      return false;
  }
}

const Expr& unconverted(const Expr& expr) {
  const Expr* inner = &expr;
  while (inner->kind == ExprKind::kConvert) inner = &inner->operand();
  return *inner;
}

bool is_known(const std::string& text, const policy::ValueRules& rules) {
  return !rules.redact(text).counts.empty();
}

// A literal, or what is computed from literals only.
bool is_known_number(const Expr& expr, const policy::ValueRules& rules) {
  if (!language::is_arithmetic(expr.type)) return false;
  const values::Value value = values::value_of({}, {}, expr);
  return value.is_there() && output::is_hidden(shown_value({"", value}, false), rules);
}

bool has_known_literal(const Expr& expr, const policy::ValueRules& rules) {
  if (expr.kind == ExprKind::kTextCompare && is_known(expr.text, rules)) return true;
  if (is_known_number(expr, rules)) return true;
  return std::ranges::any_of(
      expr.operands, [&](const auto& operand) { return has_known_literal(*operand, rules); });
}

// What a table says of a letter is told by something else than the letter.
bool is_letter(const symbols::Type& type) {
  return type.byte_size == 1 && type.kind != symbols::TypeKind::kBool &&
         type.kind != symbols::TypeKind::kEnum;
}

// One byte of a text and a control character.
bool tells_no_letter(const Expr& expr) {
  if (!is_comparison(expr)) return false;
  for (const std::size_t side : {0U, 1U}) {
    const auto number = language::constant_integer(expr.operand(side));
    const Expr& other = unconverted(expr.operand(1 - side));
    if (number && *number < kFirstLetter && other.kind == ExprKind::kLoad &&
        is_letter(*strip_typedefs(other.type)) && parts_in(other) == 1)
      return true;
  }
  return false;
}

// A text from its beginning, whatever it is taken for. Of tests, check_tests() tells.
bool is_whole_text(const Expr& expr) {
  const bool takes_text = expr.kind == ExprKind::kTextCompare || expr.kind == ExprKind::kLength;
  return takes_text && parts_in(unconverted(expr.operand())) == 0;
}

bool depends_on_part(const Expr& expr) {
  if (tells_no_letter(expr) || is_whole_text(expr)) return false;
  const bool decides = expr.kind == ExprKind::kNot || expr.kind == ExprKind::kConditional ||
                       expr.kind == ExprKind::kConvert || expr.kind == ExprKind::kBinary;
  if (!decides || (expr.kind == ExprKind::kConvert && language::is_pointer(expr.type)))
    return parts_in(expr) != 0;
  return std::ranges::any_of(expr.operands,
                             [](const auto& operand) { return depends_on_part(*operand); });
}

// The test of a text that may tell a part of what a rule hides; null: there is none.
const Expr* find_guess(const Expr& expr, const policy::ValueRules& rules) {
  using Place = policy::ValueRules::Place;
  if (language::is_text_test(expr)) {
    const bool is_start = expr.op == BinaryOp::kStartsWith;
    if (rules.may_tell(expr.text, is_start ? Place::kBeginning : Place::kAnywhere)) return &expr;
  }
  for (const auto& operand : expr.operands)
    if (const Expr* found = find_guess(*operand, rules)) return found;
  return nullptr;
}

}  // namespace

Status check_tests(const language::BoundExpression& condition, const policy::ValueRules& rules) {
  const Expr* guess = find_guess(*condition.root, rules);
  if (guess == nullptr) return {};
  const bool is_start = guess->op == BinaryOp::kStartsWith;
  return language::fail_at(
      condition.source, guess->span, "guess-of-part",
      "this text may be a part of one that a value rule hides; firing on it would tell that part",
      is_start ? "End it where no such text can begin, as in starts_with(key, \"user:\"), compare "
                 "the whole text with ==, or show starts_with(...) in the message."
               : "Begin and end it with characters that no such text has, as in contains(body, "
                 "\"(timeout)\"), compare the whole text with ==, or show contains(...) in the "
                 "message.",
      ErrorCode::kDenied);
}

Status check_literals(const language::BoundExpression& value, const policy::ValueRules& rules) {
  if (!has_known_literal(*value.root, rules)) return {};
  return fail(ErrorCode::kDenied, "guess-of-hidden",
              "An expression compares with a text or number that a value rule hides; the answer "
              "would tell where that is.",
              "Compare with something else.");
}

Status check_parts(const language::BoundExpression& condition) {
  if (!depends_on_part(*condition.root)) return {};
  return fail(ErrorCode::kDenied, "condition-on-part",
              "The condition looks at a part of a text, of which only the whole tells whether a "
              "value rule hides it; firing on it would reveal that part.",
              "Compare the whole text (name == \"alice\"), or a character with 0 or another "
              "control character.");
}

}  // namespace nohalt::session
