// x86-64 bytes as the few instructions that generated code is made of. What is
// not among them, or is written in an unusual way, does not decode: a list of
// what may be, not of what may not.
//
// Pure; any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "src/base/address.h"
#include "src/base/result.h"

namespace nohalt::inline_translate {

// General registers, as the machine numbers them.
enum class MachineRegister : std::uint8_t {
  kRax,
  kRcx,
  kRdx,
  kRbx,
  kRsp,
  kRbp,
  kRsi,
  kRdi,
  kR8,
  kR9,
  kR10,
  kR11,
  kR12,
  kR13,
  kR14,
  kR15,
  kNone,
};
inline constexpr std::size_t kMachineRegisterCount = 16;

enum class Operation : std::uint8_t {
  kMove,
  kMoveZeroExtend,
  kLoadAddress,
  kAdd,
  kSub,
  kAnd,
  kOr,
  kXor,
  kMultiply,
  kDivide,
  kNegate,
  kShiftLeft,
  kShiftRight,
  kShiftRightSigned,
  kCompare,
  kTest,
  kPush,
  kPop,
  kJump,
  kCall,
  kReturn,
  // Conditional jumps.
  kJumpEqual,
  kJumpNotEqual,
  kJumpAbove,
  kJumpAboveEqual,
  kJumpBelow,
  kJumpBelowEqual,
  kJumpGreater,
  kJumpGreaterEqual,
  kJumpLess,
  kJumpLessEqual,
};
[[nodiscard]] constexpr bool is_conditional(Operation operation) {
  return operation >= Operation::kJumpEqual;
}

struct MachineOperand {
  enum class Kind : std::uint8_t { kNone, kRegister, kImmediate, kMemory };
  Kind kind = Kind::kNone;
  std::uint8_t size = 0;                         // bytes
  MachineRegister reg = MachineRegister::kNone;  // the register, or the base of memory
  // Immediate, sign-extended; of a jump or a call, the absolute target; of
  // memory, the displacement.
  std::int64_t value = 0;

  [[nodiscard]] bool is_register() const { return kind == Kind::kRegister; }
  [[nodiscard]] bool is_immediate() const { return kind == Kind::kImmediate; }
  [[nodiscard]] bool is_memory() const { return kind == Kind::kMemory; }
};

struct MachineInstruction {
  std::uint32_t offset = 0;  // from the first byte
  std::uint8_t size = 0;
  Operation operation = Operation::kMove;
  std::array<MachineOperand, 3> operands;
  std::string text;  // for people
};

// All of the bytes, one instruction after the other from the first. Refuses
// code with anything else in it: reason "machine-instruction".
[[nodiscard]] Result<std::vector<MachineInstruction>> decode(std::span<const std::byte> code,
                                                             RuntimeAddress address);

}  // namespace nohalt::inline_translate
