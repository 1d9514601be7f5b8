// Integer and pointer values in r0, always extended to 64 bits as their type
// says, so that one 64-bit comparison is right for every width.
#include "probes/capture/generator.h"
#include "probes/language/binder_impl.h"

namespace nohalt::capture {

using language::BinaryOp;
using symbols::strip_typedefs;
using R = Register;

std::unexpected<Error> Generator::cannot(const Expr& expr, const std::string& problem,
                                         const std::string& hint) const {
  if (source_ == nullptr) return fail(ErrorCode::kUsage, "not-computed-in-target", problem, hint);
  return language::fail_at(*source_, expr.span, "not-computed-in-target", problem, hint);
}

void Generator::extend(std::uint64_t bits, bool is_signed) {
  if (bits >= 64) return;
  if (!is_signed && bits == 32) {
    code_.alu(AluOp::kMove, R::kR0, R::kR0, Width::k32);
  } else if (!is_signed && bits < 32) {
    code_.alu(AluOp::kAnd, R::kR0, (std::uint64_t{1} << bits) - 1);
  } else {
    code_.alu(AluOp::kShiftLeft, R::kR0, 64 - bits);
    code_.alu(is_signed ? AluOp::kShiftRightSigned : AluOp::kShiftRight, R::kR0, 64 - bits);
  }
}

void Generator::normalise(const Type* type) {
  const Type* real = strip_typedefs(type);
  if (real->kind != TypeKind::kBool) {
    extend(8 * real->byte_size, language::is_signed(real));
    return;
  }
  const auto zero = code_.label();
  code_.jump_if(JumpOp::kEqual, R::kR0, 0, zero);
  code_.mov(R::kR0, 1);
  code_.bind(zero);
}

Status Generator::load_scalar(const Expr& expr, const Miss& miss) {
  const Spot spot = flatten(expr.operand());
  const bool is_signed = language::is_signed(expr.type);
  if (spot.size == 0 || spot.size > 8) {
    return cannot(expr, "a value of type '" + language::type_name(expr.type) +
                            "' cannot be read as a number here");
  }
  const auto* in_register = spot.variable == nullptr
                                ? nullptr
                                : std::get_if<symbols::InRegister>(&spot.variable->location);
  const auto general = in_register == nullptr ? std::nullopt : context_offset(in_register->number);
  const std::uint64_t width = 8 * spot.size;
  const bool is_bare = spot.indexes.empty() && spot.variants.empty();
  if (general && spot.offset + spot.size <= 8 && is_bare) {
    code_.load_context(R::kR0, *general);
    if (spot.offset != 0) code_.alu(AluOp::kShiftRight, R::kR0, 8 * spot.offset);
  } else {
    const StackScope scope(code_);
    NOHALT_TRY(const Dest slot, scratch(8));
    const bool power = (spot.size & (spot.size - 1)) == 0;
    if (!power) code_.zero(slot, 8);
    NOHALT_CHECK(fetch(spot, {0, spot.size}, slot, miss));
    code_.load(!power || spot.size == 8 ? Size::k8
               : spot.size == 4         ? Size::k4
               : spot.size == 2         ? Size::k2
                                        : Size::k1,
               R::kR0, slot);
  }
  if (spot.bit_size == 0) {
    extend(width, is_signed);
    return {};
  }
  if (spot.bit_offset != 0) code_.alu(AluOp::kShiftRight, R::kR0, std::uint64_t{spot.bit_offset});
  extend(spot.bit_size, is_signed);
  return {};
}

Status Generator::value(const Expr& expr, const Miss& miss) {
  switch (expr.kind) {
    case ExprKind::kInteger:
      code_.mov(R::kR0, language::fit_integer(expr.integer, expr.type));
      return {};
    case ExprKind::kLoad:
      return load_scalar(expr, miss);
    case ExprKind::kAddress: {
      const Spot spot = flatten(expr.operand());
      const bool in_memory = spot.variable == nullptr ||
                             std::holds_alternative<symbols::InMemory>(spot.variable->location);
      if (!in_memory) {
        miss.because(ValueState::kUnavailable, "it is not in memory here");
        code_.jump(miss.label);
        return {};
      }
      NOHALT_CHECK(address(spot, miss));
      code_.mov(R::kR0, R::kR3);
      return {};
    }
    case ExprKind::kConvert:
      if (language::is_floating(expr.operand().type)) {
        return cannot(expr, "a probe does not convert floating-point numbers");
      }
      NOHALT_CHECK(value(expr.operand(), miss));
      normalise(expr.type);
      return {};
    case ExprKind::kOffset: {
      NOHALT_CHECK(value(expr.operand(), miss));
      const auto null = code_.label();
      code_.jump_if(JumpOp::kEqual, R::kR0, 0, null);
      if (expr.integer != 0) code_.alu(AluOp::kAdd, R::kR0, expr.integer);
      code_.bind(null);
      return {};
    }
    case ExprKind::kAdvance:
      NOHALT_CHECK(pair(expr.operand(0), expr.operand(1), miss));
      code_.alu(AluOp::kMul, R::kR1, strip_typedefs(language::pointee(expr.type))->byte_size);
      code_.alu(AluOp::kAdd, R::kR0, R::kR1);
      return {};
    case ExprKind::kNegate:
    case ExprKind::kComplement:
      NOHALT_CHECK(value(expr.operand(), miss));
      if (expr.kind == ExprKind::kNegate) {
        code_.negate(R::kR0);
      } else {
        code_.alu(AluOp::kXor, R::kR0, ~0ULL);
      }
      normalise(expr.type);
      return {};
    case ExprKind::kConditional:
      return choose(expr, miss);
    case ExprKind::kLength:
      return language::is_container_length(expr) ? container_length(expr, miss)
                                                 : text_length(expr, miss);
    case ExprKind::kNot:
    case ExprKind::kTextCompare:
      return truth_value(expr, miss);
    case ExprKind::kBinary:
      if (expr.op >= BinaryOp::kLess && expr.op <= BinaryOp::kNotEqual) {
        return truth_value(expr, miss);
      }
      if (expr.op >= BinaryOp::kAnd) return truth_value(expr, miss);
      return arithmetic(expr, miss);
    case ExprKind::kHitPid:
    case ExprKind::kHitTid:
      return cannot(expr, "$pid and $tid are known after the hit only");
    default:
      break;
  }
  return cannot(expr, "a probe does not compute this");
}

Status Generator::truth_value(const Expr& expr, const Miss& miss) {
  const auto no = code_.label();
  const auto done = code_.label();
  NOHALT_CHECK(branch(expr, false, no, miss));
  code_.mov(R::kR0, 1);
  code_.jump(done);
  code_.bind(no);
  code_.mov(R::kR0, std::uint64_t{0});
  code_.bind(done);
  return {};
}

Status Generator::choose(const Expr& expr, const Miss& miss) {
  const auto other = code_.label();
  const auto done = code_.label();
  NOHALT_CHECK(branch(expr.operand(0), false, other, miss));
  NOHALT_CHECK(value(expr.operand(1), miss));
  code_.jump(done);
  code_.bind(other);
  NOHALT_CHECK(value(expr.operand(2), miss));
  code_.bind(done);
  return {};
}

// r0 = left, r1 = right.
Status Generator::pair(const Expr& left, const Expr& right, const Miss& miss) {
  NOHALT_CHECK(value(left, miss));
  if (right.kind == ExprKind::kInteger) {
    code_.mov(R::kR1, language::fit_integer(right.integer, right.type));
    return {};
  }
  const StackScope scope(code_);
  NOHALT_TRY(const Dest slot, scratch(8));
  code_.store(Size::k8, slot, R::kR0);
  NOHALT_CHECK(value(right, miss));
  code_.mov(R::kR1, R::kR0);
  code_.load(Size::k8, R::kR0, slot);
  return {};
}

Status Generator::arithmetic(const Expr& expr, const Miss& miss) {
  if (language::is_floating(expr.type)) {
    return cannot(expr, "a probe does not compute with floating-point numbers",
                  "Compare them as they are, or show them in the message.");
  }
  NOHALT_CHECK(pair(expr.operand(0), expr.operand(1), miss));
  switch (expr.op) {
    case BinaryOp::kMultiply:
      code_.alu(AluOp::kMul, R::kR0, R::kR1);
      break;
    case BinaryOp::kAdd:
      code_.alu(AluOp::kAdd, R::kR0, R::kR1);
      break;
    case BinaryOp::kSubtract:
      code_.alu(AluOp::kSub, R::kR0, R::kR1);
      break;
    case BinaryOp::kBitAnd:
      code_.alu(AluOp::kAnd, R::kR0, R::kR1);
      break;
    case BinaryOp::kBitOr:
      code_.alu(AluOp::kOr, R::kR0, R::kR1);
      break;
    case BinaryOp::kBitXor:
      code_.alu(AluOp::kXor, R::kR0, R::kR1);
      break;
    case BinaryOp::kDivide:
    case BinaryOp::kModulo:
      miss.because(ValueState::kUnavailable, "it divides by zero");
      divide(expr.op == BinaryOp::kDivide ? AluOp::kDiv : AluOp::kMod,
             language::is_signed(expr.type), miss.label);
      break;
    case BinaryOp::kShiftLeft:
    case BinaryOp::kShiftRight:
      shift(expr, miss);
      break;
    default:
      return cannot(expr, "a probe does not compute this");
  }
  normalise(expr.type);
  return {};
}

// The instruction set divides unsigned only; C rounds toward zero and gives the
// remainder the dividend's sign.
void Generator::divide(AluOp op, bool is_signed, Code::Label by_zero) {
  code_.jump_if(JumpOp::kEqual, R::kR1, 0, by_zero);
  if (!is_signed) {
    code_.alu(op, R::kR0, R::kR1);
    return;
  }
  // r2 != 0: the result is to be negated.
  const auto left_positive = code_.label();
  const auto right_positive = code_.label();
  const auto keep = code_.label();
  code_.mov(R::kR2, std::uint64_t{0});
  code_.jump_if(JumpOp::kSignedGreaterEqual, R::kR0, 0, left_positive);
  code_.negate(R::kR0);
  code_.mov(R::kR2, 1);
  code_.bind(left_positive);
  code_.jump_if(JumpOp::kSignedGreaterEqual, R::kR1, 0, right_positive);
  code_.negate(R::kR1);
  if (op == AluOp::kDiv) code_.alu(AluOp::kXor, R::kR2, 1);
  code_.bind(right_positive);
  code_.alu(op, R::kR0, R::kR1);
  code_.jump_if(JumpOp::kEqual, R::kR2, 0, keep);
  code_.negate(R::kR0);
  code_.bind(keep);
}

void Generator::shift(const Expr& expr, const Miss& miss) {
  const std::uint64_t width = 8 * strip_typedefs(expr.type)->byte_size;
  miss.because(ValueState::kUnavailable, "it shifts by more than the width");
  code_.jump_if(JumpOp::kGreaterEqual, R::kR1, width, miss.label);
  const bool left = expr.op == BinaryOp::kShiftLeft;
  const AluOp right =
      language::is_signed(expr.type) ? AluOp::kShiftRightSigned : AluOp::kShiftRight;
  code_.alu(left ? AluOp::kShiftLeft : right, R::kR0, R::kR1);
}

}  // namespace nohalt::capture
