// Liveness; see the header.
#include "probes/engines/inline/translate/liveness.h"

namespace nohalt::inline_translate {
namespace {

using program::Instruction;
using program::InstructionClass;
using program::ProgramState;

struct Effect {
  RegisterSet reads;
  RegisterSet writes;
  bool only_writes = false;  // no use beyond what it writes
};

// Needed in the machine, as neither a constant nor a pointer.
void read(Effect& effect, const ProgramState& state, unsigned number) {
  const program::RegisterState& reg = state.registers[number];
  if (!reg.is_pointer() && !reg.constant()) effect.reads.set(number);
}

void jump_effect(const Instruction& i, const ProgramState& state, Effect& effect) {
  if (i.opcode == program::kOpcodeExit) {
    read(effect, state, 0);
  } else if (i.opcode == program::kOpcodeCall) {
    const program::HelperSignature& helper = *program::find_helper(i.imm);
    if (helper.writes_memory) read(effect, state, 3);
    if (helper.takes_length) read(effect, state, 4);
    if (helper.takes_frame) read(effect, state, 1);
    for (unsigned number = 0; number <= 5; ++number) effect.writes.set(number);
  } else if (program::is_conditional_jump(i)) {
    // A left side that is a constant is still compared in the machine.
    if (!state.registers[i.dst].is_pointer()) effect.reads.set(i.dst);
    if (program::source_is_register(i)) read(effect, state, i.src);
  }
}

void alu_effect(const Instruction& i, const ProgramState& state, Effect& effect) {
  effect.only_writes = true;
  effect.writes.set(i.dst);
  const bool by_register = program::source_is_register(i);
  if (program::alu_op_of(i) == program::AluOp::kMove) {
    if (by_register) read(effect, state, i.src);
    return;
  }
  const program::RegisterState& dst = state.registers[i.dst];
  const bool source_known = !by_register || state.registers[i.src].constant();
  if (dst.is_pointer() || (dst.constant() && source_known)) return;
  effect.reads.set(i.dst);
  if (by_register) read(effect, state, i.src);
}

Effect effect_of(const Instruction& i, const ProgramState& state) {
  Effect effect;
  switch (program::class_of(i)) {
    case InstructionClass::kLoadImmediate:
    case InstructionClass::kLoad:
      effect.only_writes = true;
      effect.writes.set(i.dst);
      break;
    case InstructionClass::kStore:
      read(effect, state, i.src);
      break;
    case InstructionClass::kStoreImmediate:
      break;
    case InstructionClass::kAlu32:
    case InstructionClass::kAlu64:
      alu_effect(i, state, effect);
      break;
    case InstructionClass::kJump32:
    case InstructionClass::kJump64:
      jump_effect(i, state, effect);
      break;
  }
  return effect;
}

}  // namespace

std::vector<RegisterSet> live_after(const program::Program& program,
                                    const program::VerifiedProgram& verified) {
  const std::vector<Instruction>& code = program.code;
  std::vector<RegisterSet> before(code.size() + 1);
  std::vector<RegisterSet> after(code.size());
  std::vector<bool> is_second_slot(code.size(), false);
  for (std::size_t at = 0; at + 1 < code.size(); ++at)
    if (!is_second_slot[at] && code[at].opcode == program::kOpcodeLoadImmediate64)
      is_second_slot[at + 1] = true;

  for (std::size_t at = code.size(); at-- > 0;) {
    if (is_second_slot[at]) {
      before[at] = before[at + 1];
      continue;
    }
    const Instruction& i = code[at];
    const std::size_t target = at + 1 + static_cast<std::size_t>(i.offset);
    const bool jumps = program::is_conditional_jump(i) || i.opcode == program::kOpcodeJumpAlways;
    if (jumps) after[at] |= before[target];
    if (i.opcode != program::kOpcodeJumpAlways && i.opcode != program::kOpcodeExit)
      after[at] |= before[at + 1];
    const Effect effect = effect_of(i, verified.before[at]);
    const bool emitted = !effect.only_writes || (effect.writes & after[at]).any();
    before[at] = after[at] & ~effect.writes;
    if (emitted) before[at] |= effect.reads;
  }
  return after;
}

}  // namespace nohalt::inline_translate
