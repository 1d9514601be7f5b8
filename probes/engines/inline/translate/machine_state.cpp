// Entry, joins and what branches teach.
#include "probes/engines/inline/translate/machine_state.h"

#include <algorithm>

#include "probes/runtime/layout.h"

namespace nohalt::inline_translate {
namespace {

// Enough for what the translator leans on; forgetting a fact is always safe.
constexpr std::size_t kMaxFacts = 16;

using Kind = MachineValue::Kind;

// What `was` stood for is the record, or else a number that says there is none.
void record_is(MachineState& state, Kind was, bool there, std::uint64_t otherwise = 0) {
  state.record = there ? MachineState::kOwned : MachineState::kGone;
  for (MachineValue& value : state.registers)
    if (value.kind == was)
      value = there ? MachineValue{Kind::kRecord, 0, 0}
                    : MachineValue{Kind::kConstant, 0, static_cast<std::int64_t>(otherwise)};
}

// An admission is told apart in two steps: below kNoSlot it is kNotAdmitted; not
// below and not equal, it is the record.
void learn_admission(MachineState& state, const MachineFlags& comparison, Operation jump,
                     bool taken) {
  static_assert(runtime::kNotAdmitted == 0 && runtime::kNoSlot == 1);
  if (comparison.size != 8 || comparison.limit != runtime::kNoSlot) return;
  if (jump == Operation::kJumpBelow) {
    state.token = taken ? MachineState::kDenied : MachineState::kGranted;
    if (taken) record_is(state, Kind::kAdmission, false, runtime::kNotAdmitted);
  } else if (jump == Operation::kJumpEqual && state.token == MachineState::kGranted) {
    record_is(state, Kind::kAdmission, !taken, runtime::kNoSlot);
  }
}

void learn_zero(MachineState& state, const MachineFlags& test, bool zero) {
  if (test.value.kind == Kind::kToken) {
    // No thread comes where a second test would contradict the first.
    const auto learnt = zero ? MachineState::kDenied : MachineState::kGranted;
    const auto contrary = zero ? MachineState::kGranted : MachineState::kDenied;
    if (state.token != contrary) state.token = learnt;
  }
  if (test.value.kind == Kind::kRecordOrNull && test.size == 8)
    record_is(state, test.value.kind, !zero);
  if (!test.value.is_number() || zero) return;
  const MachineValue number = as_number(test.value);
  state.facts.push_back(
      {test.size == 8 ? MachineFact::Kind::kNotZero8 : MachineFact::Kind::kNotZero4, number.symbol,
       number.offset});
}

void learn_at_most(MachineState& state, const MachineFlags& comparison) {
  const MachineValue& value = comparison.value;
  if (comparison.size == 8 && value.kind == Kind::kInPage && comparison.limit < kPageSize)
    state.facts.push_back({MachineFact::Kind::kInPage, value.symbol, value.offset});
}

}  // namespace

MachineState machine_entry_state(SymbolSource& symbols, bool is_admitted) {
  MachineState state;
  for (MachineValue& value : state.registers) value = symbols.fresh();
  for (const MachineRegister reg :
       {MachineRegister::kRbx, MachineRegister::kRbp, MachineRegister::kR12, MachineRegister::kR13,
        MachineRegister::kR14, MachineRegister::kR15})
    state[reg] = {Kind::kCallerSaved, static_cast<std::uint32_t>(reg), 0};
  state[MachineRegister::kRsp] = {Kind::kStack, 0, 0};
  state[MachineRegister::kRdi] = {Kind::kContext, 0, 0};
  if (!is_admitted) return state;
  state[MachineRegister::kRsi] = {Kind::kRecord, 0, 0};
  state.token = MachineState::kGranted;
  state.record = MachineState::kOwned;
  return state;
}

bool join(MachineState& into, const MachineState& other, SymbolSource& symbols) {
  if (into.pushed != other.pushed || into[MachineRegister::kRsp] != other[MachineRegister::kRsp])
    return false;
  for (std::size_t at = 0; at < kMachineRegisterCount; ++at)
    if (into.registers[at] != other.registers[at]) into.registers[at] = symbols.fresh();
  into.flags = {};
  std::erase_if(into.facts, [&](const MachineFact& fact) {
    return std::ranges::find(other.facts, fact) == other.facts.end();
  });
  into.token |= other.token;
  into.record |= other.record;
  return true;
}

void learn(MachineState& state, Operation jump, bool taken) {
  if (state.facts.size() >= kMaxFacts) state.facts.erase(state.facts.begin());
  const MachineFlags flags = state.flags;
  if (flags.kind == MachineFlags::Kind::kZeroTest &&
      (jump == Operation::kJumpEqual || jump == Operation::kJumpNotEqual))
    learn_zero(state, flags, (jump == Operation::kJumpEqual) == taken);
  if (flags.kind != MachineFlags::Kind::kComparison) return;
  if (jump == Operation::kJumpAbove && !taken) learn_at_most(state, flags);
  if (flags.value.kind == Kind::kAdmission) learn_admission(state, flags, jump, taken);
}

}  // namespace nohalt::inline_translate
