// The inside of the machine-code check, shared by the files that make it up and
// by no other.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string_view>

#include "probes/engines/inline/translate/machine_check.h"
#include "probes/engines/inline/translate/machine_code.h"
#include "probes/engines/inline/translate/machine_state.h"

namespace nohalt::inline_translate {

using Reg = MachineRegister;
// The name of the rule that is broken.
using Broken = std::optional<std::string_view>;

inline MachineValue moved(MachineValue value, std::int64_t by) {
  value.offset = static_cast<std::int64_t>(static_cast<std::uint64_t>(value.offset) +
                                           static_cast<std::uint64_t>(by));
  return value;
}

inline bool is_pointer_like(const MachineValue& value) { return !value.is_number(); }

class MachineChecker {
 public:
  MachineChecker(const BodyLimits& limits, const Surroundings& surroundings)
      : limits_(limits), surroundings_(surroundings) {}
  Result<BodyFacts> run(std::span<const std::byte> code);

 private:
  Broken step(const MachineInstruction& i);
  Broken move(const MachineInstruction& i);
  Broken add(const MachineInstruction& i);
  Broken arithmetic(const MachineInstruction& i);
  Broken divide(const MachineInstruction& i);
  Broken set_flags(const MachineInstruction& i);
  Broken push_or_pop(const MachineInstruction& i);
  Broken call(const MachineInstruction& i);
  Broken call_gate(RuntimeEntry entry);
  Broken call_admit();
  Broken call_release();
  Broken call_read(RuntimeEntry entry);
  Broken give_back(const MachineInstruction& i) const;
  Broken store(const MachineInstruction& i);
  Broken may_write(const MachineValue& to, std::int64_t size) const;
  Broken load(const MachineInstruction& i, MachineValue& value);
  void note_context_word(std::size_t offset);
  void note_changed(Reg reg);
  [[nodiscard]] bool in_page(const MachineValue& from, std::int64_t size) const;
  [[nodiscard]] bool proven_mapped(const MachineValue& base, std::int64_t size) const;
  [[nodiscard]] bool has_fact(MachineFact::Kind kind, const MachineValue& of) const;
  Broken write(const MachineOperand& to, const MachineValue& value);
  Broken flow(const MachineInstruction& i);
  Broken jump_to(const MachineInstruction& i, const MachineState& state);

  // Where the caller's saved registers, or the return address, begin.
  [[nodiscard]] std::int64_t ceiling() const {
    return -8 * static_cast<std::int64_t>(state_.pushed.size());
  }
  [[nodiscard]] MachineValue operand_value(const MachineOperand& operand) const {
    if (operand.is_immediate()) return {MachineValue::Kind::kConstant, 0, operand.value};
    return state_[operand.reg];
  }

  const BodyLimits& limits_;
  const Surroundings& surroundings_;
  SymbolSource symbols_;
  MachineState state_;
  bool reached_ = true;  // whether state_ is that before the next instruction
  std::map<std::uint64_t, MachineState> pending_;  // by address
  BodyFacts facts_;
};

}  // namespace nohalt::inline_translate
