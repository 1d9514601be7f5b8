// Comparing floats with integer instructions.
//
// The bits of IEEE 754 numbers of one sign are ordered as the numbers are, so
// flipping the sign bit of the positive ones and all bits of the negative ones
// gives unsigned integers in the order of the numbers (Herf, "Radix tricks",
// 2001). -0 is made +0 first; NaN is told apart and compares false except !=.
//
// A float beside a double constant is compared as a float: exactly one float,
// or a gap between two, stands where the constant is.
#include <bit>
#include <cmath>
#include <limits>

#include "probes/capture/generator.h"
#include "probes/language/binder_impl.h"

namespace nohalt::capture {

using language::BinaryOp;
using symbols::strip_typedefs;
using R = Register;

namespace {

struct Format {
  std::uint64_t sign;
  std::uint64_t infinity;
};
Format format_of(std::uint64_t size) {
  return size == 4 ? Format{0x8000'0000U, 0x7f80'0000U}
                   : Format{0x8000'0000'0000'0000U, 0x7ff0'0000'0000'0000U};
}

std::uint64_t bits_of(long double number, std::uint64_t size) {
  if (size == 4) return std::bit_cast<std::uint32_t>(static_cast<float>(number));
  return std::bit_cast<std::uint64_t>(static_cast<double>(number));
}

std::uint64_t key_of(long double number, std::uint64_t size) {
  const Format format = format_of(size);
  const std::uint64_t bits = number == 0 ? 0 : bits_of(number, size);
  const std::uint64_t all = format.sign | (format.sign - 1);
  return (bits & format.sign) != 0 ? ~bits & all : bits | format.sign;
}

bool is_widened_float(const Expr& expr) {
  return expr.kind == ExprKind::kConvert && strip_typedefs(expr.type)->byte_size == 8 &&
         language::is_floating(expr.operand().type) &&
         strip_typedefs(expr.operand().type)->byte_size == 4;
}

BinaryOp mirrored(BinaryOp op) {
  switch (op) {
    case BinaryOp::kLess:
      return BinaryOp::kGreater;
    case BinaryOp::kLessEqual:
      return BinaryOp::kGreaterEqual;
    case BinaryOp::kGreater:
      return BinaryOp::kLess;
    case BinaryOp::kGreaterEqual:
      return BinaryOp::kLessEqual;
    default:
      return op;
  }
}

}  // namespace

std::optional<long double> constant_float(const Expr& expr) {
  if (expr.kind == ExprKind::kFloating) return expr.floating;
  if (expr.kind != ExprKind::kConvert || !language::is_floating(expr.type)) return std::nullopt;
  std::optional<long double> inner = constant_float(expr.operand());
  if (const auto integer = language::constant_integer(expr.operand())) {
    inner = language::is_signed(expr.operand().type)
                ? static_cast<long double>(static_cast<std::int64_t>(*integer))
                : static_cast<long double>(*integer);
  }
  if (!inner) return std::nullopt;
  const std::uint64_t size = strip_typedefs(expr.type)->byte_size;
  return size == 4   ? static_cast<long double>(static_cast<float>(*inner))
         : size == 8 ? static_cast<long double>(static_cast<double>(*inner))
                     : *inner;
}

Status Generator::float_bits(const Expr& expr, const Miss& miss) {
  const std::uint64_t size = strip_typedefs(expr.type)->byte_size;
  if (expr.kind == ExprKind::kLoad) {
    NOHALT_CHECK(load_scalar(expr, miss));
    if (size == 4) extend(32, false);
    return {};
  }
  if (expr.kind == ExprKind::kNegate) {
    NOHALT_CHECK(float_bits(expr.operand(), miss));
    code_.alu(AluOp::kXor, R::kR0, format_of(size).sign);
    if (size == 4) extend(32, false);
    return {};
  }
  return cannot(expr, "a probe does not compute with floating-point numbers",
                "Compare a variable with a constant or with another of its type.");
}

Status Generator::float_key(const Expr& expr, Code::Label nan, const Miss& miss) {
  const std::uint64_t size = strip_typedefs(expr.type)->byte_size;
  const Format format = format_of(size);
  NOHALT_CHECK(float_bits(expr, miss));
  code_.mov(R::kR1, R::kR0);
  code_.alu(AluOp::kAnd, R::kR1, format.sign - 1);
  code_.mov(R::kR2, format.infinity);
  code_.jump_if(JumpOp::kGreater, R::kR1, R::kR2, nan);
  const auto negative = code_.label();
  const auto done = code_.label();
  const auto not_zero = code_.label();
  code_.jump_if(JumpOp::kNotEqual, R::kR1, 0, not_zero);
  code_.mov(R::kR0, std::uint64_t{0});
  code_.bind(not_zero);
  code_.mov(R::kR1, R::kR0);
  code_.alu(AluOp::kShiftRight, R::kR1, 8 * size - 1);
  code_.jump_if(JumpOp::kNotEqual, R::kR1, 0, negative);
  code_.mov(R::kR1, format.sign);
  code_.alu(AluOp::kOr, R::kR0, R::kR1);
  code_.jump(done);
  code_.bind(negative);
  code_.alu(AluOp::kXor, R::kR0, ~0ULL);
  if (size == 4) extend(32, false);
  code_.bind(done);
  return {};
}

namespace {

// The jump after which `target` is right, for keys.
JumpOp key_jump(BinaryOp op) {
  switch (op) {
    case BinaryOp::kLess:
      return JumpOp::kLess;
    case BinaryOp::kLessEqual:
      return JumpOp::kLessEqual;
    case BinaryOp::kGreater:
      return JumpOp::kGreater;
    case BinaryOp::kGreaterEqual:
      return JumpOp::kGreaterEqual;
    case BinaryOp::kEqual:
      return JumpOp::kEqual;
    default:
      return JumpOp::kNotEqual;
  }
}

}  // namespace

Status Generator::compare_floats(const Expr& expr, bool when, Code::Label target,
                                 const Miss& miss) {
  const Expr* left = &expr.operand(0);
  const Expr* right = &expr.operand(1);
  BinaryOp op = expr.op;
  if (strip_typedefs(left->type)->byte_size == 16) {
    return cannot(expr, "a probe does not compare long double numbers");
  }
  if (constant_float(*left)) {
    std::swap(left, right);
    op = mirrored(op);
  }
  const auto constant = constant_float(*right);
  if (constant && !constant_float(*left)) {
    return compare_with_constant(is_widened_float(*left) ? left->operand() : *left, op, *constant,
                                 when, target, miss);
  }
  if (is_widened_float(*left) && is_widened_float(*right)) {
    left = &left->operand();
    right = &right->operand();
  }
  const StackScope scope(code_);
  NOHALT_TRY(const Dest slot, scratch(8));
  const auto unordered = code_.label();
  const auto done = code_.label();
  NOHALT_CHECK(float_key(*left, unordered, miss));
  code_.store(Size::k8, slot, R::kR0);
  NOHALT_CHECK(float_key(*right, unordered, miss));
  code_.mov(R::kR1, R::kR0);
  code_.load(Size::k8, R::kR0, slot);
  const auto yes = when ? target : done;
  code_.jump_if(key_jump(op), R::kR0, R::kR1, yes);
  if (!when) code_.jump(target);
  code_.jump(done);
  code_.bind(unordered);
  if ((op == BinaryOp::kNotEqual) == when) code_.jump(target);
  code_.bind(done);
  return {};
}

Status Generator::compare_with_constant(const Expr& variable, BinaryOp op, long double constant,
                                        bool when, Code::Label target, const Miss& miss) {
  const std::uint64_t size = strip_typedefs(variable.type)->byte_size;
  // The nearest numbers of the variable's type at or around the constant.
  long double below = constant;
  long double above = constant;
  if (size == 4) {
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    const auto nearest = static_cast<float>(constant);
    below = static_cast<long double>(nearest) <= constant ? nearest
                                                          : std::nextafter(nearest, -kInfinity);
    above = static_cast<long double>(nearest) >= constant ? nearest
                                                          : std::nextafter(nearest, kInfinity);
  }
  const auto unordered = code_.label();
  const auto done = code_.label();
  NOHALT_CHECK(float_key(variable, unordered, miss));
  const bool between = below != above;
  const bool uses_above = op == BinaryOp::kLess || op == BinaryOp::kGreaterEqual;
  const auto yes = when ? target : done;
  if (between && (op == BinaryOp::kEqual || op == BinaryOp::kNotEqual)) {
    if (op == BinaryOp::kNotEqual) code_.jump(yes);
  } else {
    code_.mov(R::kR1, key_of(uses_above ? above : below, size));
    code_.jump_if(key_jump(op), R::kR0, R::kR1, yes);
  }
  if (!when) code_.jump(target);
  code_.jump(done);
  code_.bind(unordered);
  if ((op == BinaryOp::kNotEqual) == when) code_.jump(target);
  code_.bind(done);
  return {};
}

}  // namespace nohalt::capture
