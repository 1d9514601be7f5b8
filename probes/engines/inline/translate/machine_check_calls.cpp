// The body towards others: the runtime it calls and the caller it returns to.
#include "probes/engines/inline/translate/machine_checker.h"

namespace nohalt::inline_translate {
namespace {

using Kind = MachineValue::Kind;

bool gives_token(RuntimeEntry entry) {
  return entry == RuntimeEntry::kTakeToken || entry == RuntimeEntry::kOpenCall ||
         entry == RuntimeEntry::kCloseCall;
}

}  // namespace

Broken MachineChecker::push_or_pop(const MachineInstruction& i) {
  const MachineOperand& operand = i.operands[0];
  if (!operand.is_register() || operand.size != 8 || operand.reg == Reg::kRsp) return "operand";
  MachineOperand rsp = operand;
  rsp.reg = Reg::kRsp;
  // Only what belongs to the caller is pushed, only before the frame is made.
  if (state_[Reg::kRsp].offset != ceiling()) return "push-or-pop-within-frame";
  if (i.operation == Operation::kPush) {
    const auto number = static_cast<std::uint32_t>(operand.reg);
    if (state_[operand.reg] != MachineValue{Kind::kCallerSaved, number, 0}) return "push";
    state_.pushed.push_back(operand.reg);
    return write(rsp, moved(state_[Reg::kRsp], -8));
  }
  if (state_.pushed.empty()) return "pop";
  const auto number = static_cast<std::uint32_t>(state_.pushed.back());
  state_.pushed.pop_back();
  state_[operand.reg] = {Kind::kCallerSaved, number, 0};
  return write(rsp, moved(state_[Reg::kRsp], 8));
}

Broken MachineChecker::call(const MachineInstruction& i) {
  const MachineValue target = operand_value(i.operands[0]);
  if (i.operands[0].is_memory() || target.kind != Kind::kConstant) return "call-target";
  const auto last_program_entry = static_cast<std::size_t>(RuntimeEntry::kCloseCall);
  std::size_t which = 0;
  while (which <= last_program_entry &&
         surroundings_.entries[which].value != static_cast<std::uint64_t>(target.offset))
    ++which;
  if (which > last_program_entry) return "call-target";
  const auto entry = static_cast<RuntimeEntry>(which);
  if (state_[Reg::kRdi] != MachineValue{Kind::kContext, 0, 0}) return "call-context";
  if (state_[Reg::kRsp].offset % 16 != -8) return "call-stack-alignment";

  Broken broken;
  MachineValue result = symbols_.fresh();
  if (gives_token(entry) || entry == RuntimeEntry::kReserve) {
    broken = call_gate(entry);
    result = {gives_token(entry) ? Kind::kToken : Kind::kRecordOrNull, 0, 0};
  } else if (entry == RuntimeEntry::kAdmit) {
    broken = call_admit();
    result = {Kind::kAdmission, 0, 0};
  } else if (entry == RuntimeEntry::kCommit || entry == RuntimeEntry::kAbandon) {
    broken = call_release();
  } else if (entry != RuntimeEntry::kThreadPointer) {
    broken = call_read(entry);
  }
  if (broken) return broken;
  if (entry != RuntimeEntry::kAdmit && entry != RuntimeEntry::kCommit) facts_.calls_runtime = true;
  for (const Reg clobbered : {Reg::kRax, Reg::kRcx, Reg::kRdx, Reg::kRsi, Reg::kRdi, Reg::kR8,
                              Reg::kR9, Reg::kR10, Reg::kR11})
    state_[clobbered] = symbols_.fresh();
  state_[Reg::kRax] = result;
  state_.flags = {};
  return std::nullopt;
}

Broken MachineChecker::call_gate(RuntimeEntry entry) {
  if (gives_token(entry)) {
    if (entry != RuntimeEntry::kTakeToken && !state_[Reg::kRsi].is_number()) return "call-frame";
    if (state_.token != MachineState::kNotTaken) return "token-twice";
    state_.token = MachineState::kTaken;
    return std::nullopt;
  }
  if (state_.record != MachineState::kNotReserved) return "reserve-twice";
  if (state_.token != MachineState::kGranted) return "reserve-without-token";
  state_.record = MachineState::kUnchecked;
  return std::nullopt;
}

Broken MachineChecker::call_admit() {
  if (state_.token != MachineState::kNotTaken) return "token-twice";
  if (state_.record != MachineState::kNotReserved) return "reserve-twice";
  state_.token = MachineState::kTaken;
  state_.record = MachineState::kUnchecked;
  return std::nullopt;
}

Broken MachineChecker::call_release() {
  if (state_[Reg::kRsi] != MachineValue{Kind::kRecord, 0, 0}) return "record-not-owned";
  state_.record = MachineState::kGone;
  for (MachineValue& value : state_.registers)
    if (value.kind == Kind::kRecord) value = symbols_.fresh();
  return std::nullopt;
}

Broken MachineChecker::call_read(RuntimeEntry entry) {
  // By it the runtime knows what lies on the stack, and loads that without a call.
  note_context_word(offsetof(runtime::SavedRegisters, rsp));
  const MachineValue size = state_[Reg::kRdx];
  const bool known = size.kind == Kind::kConstant && size.offset > 0 &&
                     size.offset <= std::int64_t{runtime::kMaxRecordBody};
  if (!known) return "read-size";
  if (entry == RuntimeEntry::kTreeNext && size.offset != 8) return "read-size";
  if (entry == RuntimeEntry::kNextFull && size.offset > runtime::kTablePiece) return "read-size";
  return may_write(state_[Reg::kRsi], size.offset);
}

Broken MachineChecker::give_back(const MachineInstruction& i) const {
  if (i.operands[0].kind != MachineOperand::Kind::kNone) return "operand";
  if (!state_.pushed.empty() || state_[Reg::kRsp].offset != 0) return "return-stack";
  for (const Reg reg : {Reg::kRbx, Reg::kRbp, Reg::kR12, Reg::kR13, Reg::kR14, Reg::kR15})
    if (state_[reg] != MachineValue{Kind::kCallerSaved, static_cast<std::uint32_t>(reg), 0})
      return "return-registers";
  if ((state_.record & (MachineState::kUnchecked | MachineState::kOwned)) != 0)
    return "record-left";
  return std::nullopt;
}

}  // namespace nohalt::inline_translate
