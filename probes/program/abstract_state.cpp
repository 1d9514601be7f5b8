// Joins and refinements. Jumps go forward only, so every join is complete when
// an instruction is reached and one pass over the program is the fixed point.
#include "probes/program/abstract_state.h"

#include <algorithm>
#include <limits>

namespace nohalt::program {
namespace {

using Kind = RegisterState::Kind;

void join(RegisterState& into, const RegisterState& other) {
  if (into == other) return;
  if (into.kind != Kind::kScalar || other.kind != Kind::kScalar) {
    into = {};
    return;
  }
  into.min = std::min(into.min, other.min);
  into.max = std::max(into.max, other.max);
  into.is_token = into.is_token && other.is_token;
}

void join(Cost& into, const Cost& other) {
  into.instructions = std::max(into.instructions, other.instructions);
  into.bytes_read = std::max(into.bytes_read, other.bytes_read);
  into.bytes_written = std::max(into.bytes_written, other.bytes_written);
  into.user_reads = std::max(into.user_reads, other.user_reads);
  into.frame_reads = std::max(into.frame_reads, other.frame_reads);
}

}  // namespace

ProgramState entry_state() {
  ProgramState state;
  state.registers[1].kind = Kind::kContext;
  state.registers[static_cast<std::size_t>(kFramePointer)].kind = Kind::kStack;
  return state;
}

RegisterState scalar(std::uint64_t min, std::uint64_t max) {
  RegisterState result;
  result.kind = Kind::kScalar;
  result.min = min;
  result.max = max;
  return result;
}

RegisterState any_scalar(Width width) {
  return scalar(0, width == Width::k64 ? std::numeric_limits<std::uint64_t>::max()
                                       : std::numeric_limits<std::uint32_t>::max());
}

void join(ProgramState& into, const ProgramState& other) {
  for (std::size_t r = 0; r < kRegisterCount; ++r) join(into.registers[r], other.registers[r]);
  into.stack_written &= other.stack_written;
  into.token |= other.token;
  into.record |= other.record;
  join(into.cost, other.cost);
}

void record_checked(ProgramState& state, bool there) {
  state.record = there ? ProgramState::kOwned : ProgramState::kGone;
  for (RegisterState& reg : state.registers) {
    if (reg.kind != Kind::kRecordOrNull) continue;
    if (there)
      reg.kind = Kind::kRecord;
    else
      reg = {};
  }
}

void token_checked(ProgramState& state, bool granted) {
  state.token = granted ? ProgramState::kGranted : ProgramState::kDenied;
  for (RegisterState& reg : state.registers)
    if (reg.is_token) reg = scalar(granted ? 1 : 0, granted ? 1 : 0);
}

void record_released(ProgramState& state) {
  state.record = ProgramState::kGone;
  for (RegisterState& reg : state.registers)
    if (reg.kind == Kind::kRecord) reg = {};
}

std::optional<bool> taken_means_zero(const Instruction& jump) {
  if (source_is_register(jump) || jump.imm != 0) return std::nullopt;
  if (jump_op_of(jump) == JumpOp::kEqual) return true;
  if (jump_op_of(jump) == JumpOp::kNotEqual) return false;
  return std::nullopt;
}

}  // namespace nohalt::program
