// Decisions as jumps: && and || read what they need and no more.
#include "probes/capture/generator.h"
#include "probes/language/binder_impl.h"

namespace nohalt::capture {

using language::BinaryOp;
using symbols::strip_typedefs;
using R = Register;

Status Generator::branch(const Expr& expr, bool when, Code::Label target, const Miss& miss) {
  if (expr.kind == ExprKind::kInteger) {
    if ((expr.integer != 0) == when) code_.jump(target);
    return {};
  }
  if (expr.kind == ExprKind::kNot) return branch(expr.operand(), !when, target, miss);
  if (expr.kind == ExprKind::kTextCompare) return compare_text(expr, when, target, miss);
  if (expr.kind == ExprKind::kBinary && expr.op >= BinaryOp::kAnd) {
    // `decides`: the truth of the left side that decides the whole.
    const bool decides = expr.op == BinaryOp::kOr;
    if (when == decides) {
      NOHALT_CHECK(branch(expr.operand(0), decides, target, miss));
      return branch(expr.operand(1), when, target, miss);
    }
    const auto decided = code_.label();
    NOHALT_CHECK(branch(expr.operand(0), decides, decided, miss));
    NOHALT_CHECK(branch(expr.operand(1), when, target, miss));
    code_.bind(decided);
    return {};
  }
  const bool compares = expr.kind == ExprKind::kBinary && expr.op >= BinaryOp::kLess &&
                        expr.op <= BinaryOp::kNotEqual;
  if (compares && language::is_floating(expr.operand(0).type)) {
    return compare_floats(expr, when, target, miss);
  }
  if (compares) return compare(expr, when, target, miss);
  NOHALT_CHECK(value(expr, miss));
  code_.jump_if(when ? JumpOp::kNotEqual : JumpOp::kEqual, R::kR0, 0, target);
  return {};
}

namespace {

JumpOp jump_for(BinaryOp op, bool is_signed) {
  switch (op) {
    case BinaryOp::kLess:
      return is_signed ? JumpOp::kSignedLess : JumpOp::kLess;
    case BinaryOp::kLessEqual:
      return is_signed ? JumpOp::kSignedLessEqual : JumpOp::kLessEqual;
    case BinaryOp::kGreater:
      return is_signed ? JumpOp::kSignedGreater : JumpOp::kGreater;
    case BinaryOp::kGreaterEqual:
      return is_signed ? JumpOp::kSignedGreaterEqual : JumpOp::kGreaterEqual;
    case BinaryOp::kEqual:
      return JumpOp::kEqual;
    default:
      return JumpOp::kNotEqual;
  }
}

BinaryOp opposite(BinaryOp op) {
  switch (op) {
    case BinaryOp::kLess:
      return BinaryOp::kGreaterEqual;
    case BinaryOp::kLessEqual:
      return BinaryOp::kGreater;
    case BinaryOp::kGreater:
      return BinaryOp::kLessEqual;
    case BinaryOp::kGreaterEqual:
      return BinaryOp::kLess;
    case BinaryOp::kEqual:
      return BinaryOp::kNotEqual;
    default:
      return BinaryOp::kEqual;
  }
}

}  // namespace

Status Generator::compare(const Expr& expr, bool when, Code::Label target, const Miss& miss) {
  const Expr& right = expr.operand(1);
  const JumpOp op =
      jump_for(when ? expr.op : opposite(expr.op), language::is_signed(expr.operand(0).type));
  if (right.kind == ExprKind::kInteger) {
    NOHALT_CHECK(value(expr.operand(0), miss));
    code_.jump_if(op, R::kR0, language::fit_integer(right.integer, right.type), target);
    return {};
  }
  NOHALT_CHECK(pair(expr.operand(0), right, miss));
  code_.jump_if(op, R::kR0, R::kR1, target);
  return {};
}

}  // namespace nohalt::capture
