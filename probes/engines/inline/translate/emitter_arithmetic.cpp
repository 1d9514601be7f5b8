// Arithmetic, comparisons and jumps of the translator.
#include "probes/engines/inline/translate/emitter_impl.h"
#include "probes/program/arithmetic.h"

namespace nohalt::inline_translate {
namespace {

x86::CondCode condition_of(JumpOp op) {
  switch (op) {
    case JumpOp::kEqual:
      return x86::CondCode::kEqual;
    case JumpOp::kGreater:
      return x86::CondCode::kUnsignedGT;
    case JumpOp::kGreaterEqual:
      return x86::CondCode::kUnsignedGE;
    case JumpOp::kLess:
      return x86::CondCode::kUnsignedLT;
    case JumpOp::kLessEqual:
      return x86::CondCode::kUnsignedLE;
    case JumpOp::kSignedGreater:
      return x86::CondCode::kSignedGT;
    case JumpOp::kSignedGreaterEqual:
      return x86::CondCode::kSignedGE;
    case JumpOp::kSignedLess:
      return x86::CondCode::kSignedLT;
    case JumpOp::kSignedLessEqual:
      return x86::CondCode::kSignedLE;
    case JumpOp::kAnyBitSet:
    case JumpOp::kNotEqual:
    case JumpOp::kAlways:
    case JumpOp::kCall:
    case JumpOp::kExit:
      break;
  }
  return x86::CondCode::kNotEqual;
}

}  // namespace

void Emitter::alu(const Instruction& i) {
  const AluOp op = program::alu_op_of(i);
  const bool wide = program::class_of(i) == InstructionClass::kAlu64;
  const program::Width width = wide ? program::Width::k64 : program::Width::k32;
  const x86::Gp dst = kMachine[i.dst];
  const bool by_register = program::source_is_register(i);
  const std::optional<std::uint64_t> source =
      by_register ? state(i.src).constant() : program::sign_extended(i.imm);
  const std::optional<std::uint64_t> left =
      op == AluOp::kMove ? std::optional<std::uint64_t>(0) : state(i.dst).constant();
  if (source && left) {
    move_constant(dst, *program::evaluate_alu(op, width, *left, *source));
  } else if (op == AluOp::kDiv || op == AluOp::kMod) {
    divide(op, wide, dst, source, by_register ? kMachine[i.src] : dst);
  } else if (source) {
    alu_constant(op, wide, dst, *source);
  } else {
    alu_register(op, wide, dst, kMachine[i.src]);
  }
}

void Emitter::alu_constant(AluOp op, bool wide, x86::Gp dst, std::uint64_t value) {
  const x86::Gp to = wide ? dst : dst.r32();
  const auto imm = static_cast<std::int32_t>(static_cast<std::uint32_t>(value));
  const auto count = static_cast<std::uint32_t>(value & (wide ? 63 : 31));
  switch (op) {
    case AluOp::kNegate:
      as_.neg(to);
      return;
    case AluOp::kShiftLeft:
    case AluOp::kShiftRight:
    case AluOp::kShiftRightSigned:
      // A count of zero still clears the high half.
      if (count == 0)
        as_.mov(to, to);
      else if (op == AluOp::kShiftLeft)
        as_.shl(to, count);
      else if (op == AluOp::kShiftRight)
        as_.shr(to, count);
      else
        as_.sar(to, count);
      return;
    default:
      break;
  }
  if (wide && !fits_signed_32(value)) {
    move_constant(kScratch, value);
    alu_register(op, wide, dst, kScratch);
    return;
  }
  switch (op) {
    case AluOp::kAdd:
      as_.add(to, imm);
      return;
    case AluOp::kSub:
      as_.sub(to, imm);
      return;
    case AluOp::kMul:
      as_.imul(to, to, imm);
      return;
    case AluOp::kOr:
      as_.or_(to, imm);
      return;
    case AluOp::kAnd:
      as_.and_(to, imm);
      return;
    default:
      as_.xor_(to, imm);
      return;
  }
}

void Emitter::alu_register(AluOp op, bool wide, x86::Gp dst, x86::Gp src) {
  const x86::Gp to = wide ? dst : dst.r32();
  const x86::Gp from = wide ? src : src.r32();
  switch (op) {
    case AluOp::kMove:
      if (!wide || dst != src) as_.mov(to, from);
      return;
    case AluOp::kAdd:
      as_.add(to, from);
      return;
    case AluOp::kSub:
      as_.sub(to, from);
      return;
    case AluOp::kMul:
      as_.imul(to, from);
      return;
    case AluOp::kOr:
      as_.or_(to, from);
      return;
    case AluOp::kAnd:
      as_.and_(to, from);
      return;
    case AluOp::kXor:
      as_.xor_(to, from);
      return;
    default:
      shift_by_register(op, wide, dst, src);
      return;
  }
}

// The machine takes the count in cl, so rcx is set aside where it is not there.
void Emitter::shift_by_register(AluOp op, bool wide, x86::Gp dst, x86::Gp src) {
  const bool in_place = src == x86::rcx && dst != x86::rcx;
  const x86::Gp shifted = dst == x86::rcx ? kScratch : dst;
  if (!in_place) {
    as_.mov(kScratch, x86::rcx);
    if (src != x86::rcx) as_.mov(x86::ecx, src.r32());
  }
  const x86::Gp to = wide ? shifted : shifted.r32();
  if (op == AluOp::kShiftLeft)
    as_.shl(to, x86::cl);
  else if (op == AluOp::kShiftRight)
    as_.shr(to, x86::cl);
  else
    as_.sar(to, x86::cl);
  if (!in_place) as_.mov(x86::rcx, kScratch);
}

// The machine divides rdx:rax and traps on zero, so both are set aside and zero
// goes its own way: 0 for a quotient, the dividend for a remainder.
void Emitter::divide(AluOp op, bool wide, x86::Gp dst, std::optional<std::uint64_t> by,
                     x86::Gp src) {
  const x86::Gp divisor = wide ? kScratch : kScratch.r32();
  const asmjit::Label done = as_.newLabel();
  if (by && !wide) by = static_cast<std::uint32_t>(*by);
  if (by == 0U) {
    if (op == AluOp::kDiv)
      as_.xor_(dst.r32(), dst.r32());
    else
      as_.mov(wide ? dst : dst.r32(), wide ? dst : dst.r32());
    return;
  }
  if (by) {
    move_constant(kScratch, *by);
  } else {
    const asmjit::Label divides = as_.newLabel();
    as_.mov(divisor, wide ? src : src.r32());
    as_.test(divisor, divisor);
    as_.short_().jnz(divides);
    if (op == AluOp::kDiv)
      as_.xor_(dst.r32(), dst.r32());
    else
      as_.mov(wide ? dst : dst.r32(), wide ? dst : dst.r32());
    as_.short_().jmp(done);
    as_.bind(divides);
  }
  as_.mov(kScratch2, x86::rax);
  as_.mov(kArgument, x86::rdx);
  as_.mov(x86::rax, dst);
  as_.xor_(x86::edx, x86::edx);
  as_.div(divisor);
  as_.mov(kScratch, op == AluOp::kDiv ? x86::rax : x86::rdx);
  as_.mov(x86::rax, kScratch2);
  as_.mov(x86::rdx, kArgument);
  as_.mov(dst, kScratch);
  as_.bind(done);
}

void Emitter::conditional_jump(const Instruction& i, asmjit::Label target) {
  const JumpOp op = program::jump_op_of(i);
  const bool wide = program::class_of(i) == InstructionClass::kJump64;
  const bool is_record = state(i.dst).is_pointer();
  const x86::Gp machine = is_record ? kRecord : kMachine[i.dst];
  const x86::Gp left = wide ? machine : machine.r32();
  const bool by_register = program::source_is_register(i);
  std::optional<std::uint64_t> right =
      by_register ? state(i.src).constant() : program::sign_extended(i.imm);
  if (right && !wide)
    right = program::sign_extended(static_cast<std::int32_t>(static_cast<std::uint32_t>(*right)));
  const bool short_constant = right && fits_signed_32(*right);
  x86::Gp other = by_register ? kMachine[i.src] : kScratch;
  if (right && !short_constant) {
    move_constant(kScratch, *right);
    other = kScratch;
  }
  if (!wide) other = other.r32();

  if (op == JumpOp::kAnyBitSet) {
    if (short_constant)
      as_.test(left, static_cast<std::int32_t>(*right));
    else
      as_.test(left, other);
  } else if (short_constant && *right == 0) {
    as_.test(left, left);
  } else if (short_constant) {
    as_.cmp(left, static_cast<std::int32_t>(*right));
  } else {
    as_.cmp(left, other);
  }
  as_.j(condition_of(op), target);
}

}  // namespace nohalt::inline_translate
