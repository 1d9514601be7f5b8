// Abstract interpretation in one forward pass.
//
// Each instruction is visited once, with the join of the states of all paths
// that reach it (jumps go forward only, so all of them are known by then). A
// register is a type with a constant offset, or an interval; pointers are
// never stored, so the stack needs one bit a byte. The protocol of token and
// record is a set of states a path may be in: a call is admitted only where
// the set has exactly the one member that the call is for.
//
// Source: the technique is Cousot and Cousot, "Abstract interpretation" (POPL
// 1977); the rules are those of program.h.
#include "probes/program/verifier.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "probes/program/abstract_state.h"
#include "probes/program/arithmetic.h"
#include "probes/program/shape.h"

namespace nohalt::program {
namespace {

using Kind = RegisterState::Kind;
using Broken = std::optional<Rule>;

constexpr std::int64_t kStackLimit = runtime::kMaxProgramStack;
// Pointers further than this from their base are of no use, and offsets stay
// far from overflow.
constexpr std::int64_t kMaxPointerOffset = 1 << 20;
constexpr std::uint64_t kMaxOutcome = static_cast<std::uint64_t>(Outcome::kConditionUnavailable);

class Verifier {
 public:
  explicit Verifier(const Program& program) : program_(program) {}
  std::expected<VerifiedProgram, Violation> run();

 private:
  Broken step(const Instruction& i, std::size_t at);
  Broken alu(const Instruction& i);
  Broken pointer_alu(const Instruction& i, const RegisterState& source);
  Broken load(const Instruction& i);
  Broken store(const Instruction& i);
  Broken compare(const Instruction& i) const;
  Broken call(const HelperSignature& helper);
  Broken call_protocol(const HelperSignature& helper);
  Broken call_read(const HelperSignature& helper);
  Broken exit() const;
  Broken write(const RegisterState& base, std::int64_t offset, std::uint64_t size);
  Broken flow(const Instruction& i, std::size_t at);
  Broken reach(std::size_t target, const ProgramState& state);

  RegisterState& reg(unsigned number) { return state_.registers[number]; }
  [[nodiscard]] const RegisterState& reg(unsigned number) const { return state_.registers[number]; }
  [[nodiscard]] RegisterState source_of(const Instruction& i) const {
    return source_is_register(i) ? reg(i.src) : scalar(sign_extended(i.imm), sign_extended(i.imm));
  }

  const Program& program_;
  VerifiedProgram result_;
  std::vector<std::optional<ProgramState>> pending_;
  ProgramState state_;  // during a step
};

std::expected<VerifiedProgram, Violation> Verifier::run() {
  const std::size_t count = program_.code.size();
  pending_.resize(count);
  result_.before.resize(count);
  pending_[0] = entry_state();
  for (std::size_t at = 0; at < count; ++at) {
    if (!pending_[at]) return std::unexpected(Violation{Rule::kUnreachable, at});
    state_ = *pending_[at];
    result_.before[at] = std::move(*pending_[at]);
    pending_[at].reset();
    const Instruction& i = program_.code[at];
    ++state_.cost.instructions;
    Broken broken = step(i, at);
    if (!broken) broken = flow(i, at);
    if (broken) return std::unexpected(Violation{*broken, at});
    if (i.opcode == kOpcodeLoadImmediate64) ++at;
  }
  return std::move(result_);
}

Broken Verifier::step(const Instruction& i, std::size_t at) {
  switch (class_of(i)) {
    case InstructionClass::kLoadImmediate: {
      const std::uint64_t value = wide_immediate(i, program_.code[at + 1]);
      reg(i.dst) = scalar(value, value);
      return std::nullopt;
    }
    case InstructionClass::kLoad:
      return load(i);
    case InstructionClass::kStoreImmediate:
    case InstructionClass::kStore:
      return store(i);
    case InstructionClass::kAlu32:
    case InstructionClass::kAlu64:
      return alu(i);
    case InstructionClass::kJump32:
    case InstructionClass::kJump64:
      break;
  }
  if (i.opcode == kOpcodeCall) return call(*find_helper(i.imm));
  if (i.opcode == kOpcodeExit) return exit();
  if (i.opcode == kOpcodeJumpAlways) return std::nullopt;
  return compare(i);
}

Broken Verifier::alu(const Instruction& i) {
  const AluOp op = alu_op_of(i);
  const Width width = class_of(i) == InstructionClass::kAlu64 ? Width::k64 : Width::k32;
  const RegisterState source = source_of(i);
  RegisterState& dst = reg(i.dst);
  if (source.kind == Kind::kUnusable) return Rule::kRegisterUninitialised;
  if (op != AluOp::kMove && dst.kind == Kind::kUnusable) return Rule::kRegisterUninitialised;
  const bool moves = op == AluOp::kMove;
  if (source.is_pointer() || (!moves && dst.is_pointer())) {
    if (width != Width::k64) return Rule::kPointerArithmetic;
    if (!moves) return pointer_alu(i, source);
    dst = source;
    return std::nullopt;
  }
  if (moves && (width == Width::k64 || source.max <= std::numeric_limits<std::uint32_t>::max())) {
    dst = source;
    return std::nullopt;
  }
  const auto left = moves ? std::optional<std::uint64_t>(0) : dst.constant();
  const auto right = source.constant();
  if (left && right) {
    const std::uint64_t value = *evaluate_alu(op, width, *left, *right);
    dst = scalar(value, value);
  } else if (op == AluOp::kAnd && right && width == Width::k64) {
    dst = scalar(0, *right);
  } else {
    dst = any_scalar(width);
  }
  return std::nullopt;
}

Broken Verifier::pointer_alu(const Instruction& i, const RegisterState& source) {
  RegisterState& dst = reg(i.dst);
  const AluOp op = alu_op_of(i);
  const std::optional<std::uint64_t> by = source.constant();
  const bool adds = op == AluOp::kAdd;
  if (!dst.is_pointer() || !by || (!adds && op != AluOp::kSub)) return Rule::kPointerArithmetic;
  if (dst.kind == Kind::kRecordOrNull) return Rule::kRecordNotChecked;
  const auto distance = static_cast<std::int64_t>(*by);
  if (distance > kMaxPointerOffset || distance < -kMaxPointerOffset)
    return Rule::kPointerArithmetic;
  const std::int64_t offset = adds ? dst.offset + distance : dst.offset - distance;
  if (offset > kMaxPointerOffset || offset < -kMaxPointerOffset) return Rule::kPointerArithmetic;
  dst.offset = static_cast<std::int32_t>(offset);
  return std::nullopt;
}

Broken Verifier::load(const Instruction& i) {
  const RegisterState base = reg(i.src);
  const std::int64_t offset = std::int64_t{base.offset} + i.offset;
  const std::int64_t size = access_size_of(i);
  switch (base.kind) {
    case Kind::kUnusable:
      return Rule::kRegisterUninitialised;
    case Kind::kScalar:
      return Rule::kNotAPointer;
    case Kind::kRecordOrNull:
    case Kind::kRecord:
      return Rule::kRecordRead;
    case Kind::kContext: {
      const bool in_registers = runtime::is_saved_register(static_cast<std::uint64_t>(offset));
      const bool in_xmm = program_.needs_xmm &&
                          offset >= std::int64_t{offsetof(runtime::HitContext, xmm)} &&
                          offset + size <= std::int64_t{sizeof(runtime::HitContext)};
      if (size != 8 || offset % 8 != 0 || (!in_registers && !in_xmm))
        return Rule::kContextOutOfBounds;
      break;
    }
    case Kind::kStack:
      if (offset < -kStackLimit || offset + size > 0) return Rule::kStackOutOfBounds;
      for (std::int64_t byte = offset; byte < offset + size; ++byte)
        if (!state_.stack_written[static_cast<std::size_t>(-1 - byte)])
          return Rule::kStackUninitialised;
      break;
  }
  const std::uint64_t all = std::numeric_limits<std::uint64_t>::max();
  reg(i.dst) = scalar(0, size == 8 ? all : (std::uint64_t{1} << (8 * size)) - 1);
  return std::nullopt;
}

Broken Verifier::store(const Instruction& i) {
  if (class_of(i) == InstructionClass::kStore) {
    if (reg(i.src).kind == Kind::kUnusable) return Rule::kRegisterUninitialised;
    if (reg(i.src).is_pointer()) return Rule::kPointerStored;
  }
  return write(reg(i.dst), std::int64_t{reg(i.dst).offset} + i.offset, access_size_of(i));
}

// Bounds of a write of `size` bytes, all of which have a value then.
Broken Verifier::write(const RegisterState& base, std::int64_t offset, std::uint64_t size) {
  const auto length = static_cast<std::int64_t>(size);
  switch (base.kind) {
    case Kind::kUnusable:
      return Rule::kRegisterUninitialised;
    case Kind::kScalar:
      return Rule::kNotAPointer;
    case Kind::kContext:
      return Rule::kContextWritten;
    case Kind::kRecordOrNull:
      return Rule::kRecordNotChecked;
    case Kind::kRecord:
      if (offset < 0 || offset + length > std::int64_t{program_.record_size})
        return Rule::kRecordOutOfBounds;
      break;
    case Kind::kStack:
      if (offset < -kStackLimit || offset + length > 0) return Rule::kStackOutOfBounds;
      result_.stack_bytes = std::max(result_.stack_bytes, static_cast<std::uint32_t>(-offset));
      for (std::int64_t byte = offset; byte < offset + length; ++byte)
        state_.stack_written.set(static_cast<std::size_t>(-1 - byte));
      break;
  }
  state_.cost.bytes_written += static_cast<std::uint32_t>(size);
  return std::nullopt;
}

Broken Verifier::compare(const Instruction& i) const {
  const RegisterState& left = reg(i.dst);
  const RegisterState right = source_of(i);
  if (left.kind == Kind::kUnusable || right.kind == Kind::kUnusable)
    return Rule::kRegisterUninitialised;
  if (right.is_pointer()) return Rule::kPointerCompared;
  if (!left.is_pointer()) return std::nullopt;
  const bool null_check = left.kind == Kind::kRecordOrNull && taken_means_zero(i) &&
                          class_of(i) == InstructionClass::kJump64;
  if (!null_check) return Rule::kPointerCompared;
  return std::nullopt;
}

Broken Verifier::call(const HelperSignature& helper) {
  Broken broken;
  if (helper.writes_memory) {
    broken = call_read(helper);
  } else if (helper.takes_body) {
    const RegisterState& body = reg(1);
    if (body.kind == Kind::kUnusable) return Rule::kRegisterUninitialised;
    if (body.kind == Kind::kRecordOrNull) return Rule::kRecordNotChecked;
    if (body.kind != Kind::kRecord || body.offset != 0) return Rule::kRecordNotOwned;
    record_released(state_);
  } else {
    broken = call_protocol(helper);
  }
  if (broken) return broken;
  for (unsigned argument = 1; argument <= 5; ++argument) reg(argument) = {};
  reg(0) = any_scalar(Width::k64);
  if (helper.gives_token) {
    reg(0) = scalar(0, 1);
    reg(0).is_token = true;
  }
  if (helper.helper == Helper::kReserve) {
    reg(0) = {};
    reg(0).kind = Kind::kRecordOrNull;
  }
  return std::nullopt;
}

Broken Verifier::call_protocol(const HelperSignature& helper) {
  if (helper.helper == Helper::kThreadPointer) return std::nullopt;
  if (helper.takes_frame) {
    if (reg(1).kind == Kind::kUnusable) return Rule::kRegisterUninitialised;
    if (reg(1).is_pointer()) return Rule::kPointerAsNumber;
  }
  if (helper.gives_token) {
    if (state_.token != ProgramState::kNotTaken) return Rule::kTokenTwice;
    state_.token = ProgramState::kTaken;
    return std::nullopt;
  }
  if (state_.record != ProgramState::kNotReserved) return Rule::kReserveTwice;
  if (state_.token != ProgramState::kGranted) return Rule::kReserveWithoutToken;
  state_.record = ProgramState::kUnchecked;
  return std::nullopt;
}

Broken Verifier::call_read(const HelperSignature& helper) {
  for (unsigned argument = 1; argument <= (helper.takes_length ? 4U : 3U); ++argument)
    if (reg(argument).kind == Kind::kUnusable) return Rule::kRegisterUninitialised;
  const RegisterState to = reg(1);
  const std::optional<std::uint64_t> size = reg(2).constant();
  if (reg(2).is_pointer() || reg(3).is_pointer()) return Rule::kPointerAsNumber;
  if (helper.takes_length && reg(4).is_pointer()) return Rule::kPointerAsNumber;
  if (to.kind == Kind::kScalar || to.kind == Kind::kContext) return Rule::kHelperDestination;
  if (!size || !is_size_for(helper.helper, *size)) return Rule::kHelperSize;
  if (const Broken broken = write(to, to.offset, *size)) return broken;
  Cost& cost = state_.cost;
  cost.bytes_read += bytes_read_by(helper.helper, *size);
  const bool proven = helper.helper == Helper::kReadFrame || helper.helper == Helper::kReadStatic;
  if (proven) ++cost.frame_reads;
  cost.user_reads += system_calls_of(helper.helper, *size);
  return std::nullopt;
}

Broken Verifier::exit() const {
  const RegisterState& result = reg(0);
  if (result.kind == Kind::kUnusable) return Rule::kRegisterUninitialised;
  if (result.is_pointer()) return Rule::kPointerAsNumber;
  if (result.max > kMaxOutcome) return Rule::kNotAnOutcome;
  if ((state_.record & (ProgramState::kUnchecked | ProgramState::kOwned)) != 0)
    return Rule::kRecordLeft;
  return std::nullopt;
}

// Hands the state after an instruction to those that may come next.
Broken Verifier::flow(const Instruction& i, std::size_t at) {
  const std::size_t next = at + (i.opcode == kOpcodeLoadImmediate64 ? 2 : 1);
  const std::size_t target = at + 1 + static_cast<std::size_t>(i.offset);
  if (i.opcode == kOpcodeExit) {
    ProgramState total;
    total.cost = result_.cost;
    join(total, state_);
    result_.cost = total.cost;
    return std::nullopt;
  }
  if (i.opcode == kOpcodeJumpAlways) return reach(target, state_);
  if (!is_conditional_jump(i)) return reach(next, state_);

  const std::optional<bool> zero_if_taken = taken_means_zero(i);
  const RegisterState left = reg(i.dst);
  ProgramState taken = state_;
  if (zero_if_taken && left.kind == Kind::kRecordOrNull) {
    record_checked(taken, !*zero_if_taken);
    record_checked(state_, *zero_if_taken);
  } else if (zero_if_taken && left.is_token) {
    token_checked(taken, !*zero_if_taken);
    token_checked(state_, *zero_if_taken);
  }
  if (const Broken broken = reach(target, taken)) return broken;
  return reach(next, state_);
}

Broken Verifier::reach(std::size_t target, const ProgramState& state) {
  if (target >= pending_.size()) return Rule::kFallsOffTheEnd;
  if (pending_[target])
    join(*pending_[target], state);
  else
    pending_[target] = state;
  return std::nullopt;
}

}  // namespace

std::expected<VerifiedProgram, Violation> verify(const Program& program) {
  if (auto shape = check_shape(program); !shape) return std::unexpected(shape.error());
  return Verifier(program).run();
}

}  // namespace nohalt::program
