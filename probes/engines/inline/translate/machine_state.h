// What the machine-code check knows of the machine before an instruction.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "probes/engines/inline/translate/machine_code.h"

namespace nohalt::inline_translate {

// Where a register's value comes from. `offset` is added to that.
struct MachineValue {
  enum class Kind : std::uint8_t {
    kNumber,        // the number that `symbol` stands for
    kConstant,      // offset itself
    kToken,         // what take_token returned
    kCallerSaved,   // what register `symbol` held when the body began
    kStack,         // rsp when the body began
    kContext,       // the HitContext
    kRecordOrNull,  // what reserve returned
    kAdmission,     // what admit returned: the record, kNotAdmitted or kNoSlot
    kRecord,        // the same, known not to be null
    kInPage,        // the number (symbol, offset) xor (rsp at the probed instruction minus 1)
  };
  Kind kind = Kind::kNumber;
  std::uint32_t symbol = 0;
  std::int64_t offset = 0;

  [[nodiscard]] bool is_number() const { return kind <= Kind::kToken; }
  friend bool operator==(const MachineValue&, const MachineValue&) = default;
};

// The number that is rsp at the probed instruction.
inline constexpr std::uint32_t kHitRspSymbol = ~std::uint32_t{0};

// Constants and the token as numbers, so that facts can be about them too.
inline constexpr std::uint32_t kZeroSymbol = kHitRspSymbol - 1;
inline constexpr std::uint32_t kTokenSymbol = kHitRspSymbol - 2;
[[nodiscard]] constexpr MachineValue as_number(const MachineValue& value) {
  if (value.kind == MachineValue::Kind::kConstant)
    return {MachineValue::Kind::kNumber, kZeroSymbol, value.offset};
  if (value.kind == MachineValue::Kind::kToken)
    return {MachineValue::Kind::kNumber, kTokenSymbol, value.offset};
  return value;
}

// Something a branch taught about the number (symbol, offset).
struct MachineFact {
  enum class Kind : std::uint8_t {
    kNotZero4,  // its low half is not zero
    kNotZero8,
    kInPage,  // it lies in the page of rsp at the hit minus 1
  };
  Kind kind = Kind::kNotZero4;
  std::uint32_t symbol = 0;
  std::int64_t offset = 0;

  friend bool operator==(const MachineFact&, const MachineFact&) = default;
};

// What the flags stand for, where that is of use.
struct MachineFlags {
  enum class Kind : std::uint8_t { kNothing, kZeroTest, kComparison };
  Kind kind = Kind::kNothing;
  std::uint8_t size = 0;
  MachineValue value;
  std::uint64_t limit = 0;  // kComparison: what it was compared with
};

struct MachineState {
  std::array<MachineValue, kMachineRegisterCount> registers;
  MachineFlags flags;
  std::vector<MachineFact> facts;
  // Registers of the caller's that were pushed, first to last; the n-th is at
  // -8 * (n + 1) from rsp when the body began.
  std::vector<MachineRegister> pushed;
  // Sets of what may have happened, as paths join.
  enum Token : std::uint8_t { kNotTaken = 1, kTaken = 2, kGranted = 4, kDenied = 8 };
  enum Record : std::uint8_t { kNotReserved = 1, kUnchecked = 2, kOwned = 4, kGone = 8 };
  std::uint8_t token = kNotTaken;
  std::uint8_t record = kNotReserved;

  MachineValue& operator[](MachineRegister reg) { return registers[static_cast<std::size_t>(reg)]; }
  const MachineValue& operator[](MachineRegister reg) const {
    return registers[static_cast<std::size_t>(reg)];
  }
};

// Symbols are given out once each: equal symbols are equal numbers.
class SymbolSource {
 public:
  MachineValue fresh() { return {MachineValue::Kind::kNumber, next_++, 0}; }

 private:
  std::uint32_t next_ = 1;
};

[[nodiscard]] MachineState machine_entry_state(SymbolSource& symbols, bool is_admitted);

// Keeps in `into` only what holds in both. False: the two cannot be joined,
// as the stack differs.
[[nodiscard]] bool join(MachineState& into, const MachineState& other, SymbolSource& symbols);

// What a jump teaches, `taken` or not.
void learn(MachineState& state, Operation jump, bool taken);

}  // namespace nohalt::inline_translate
