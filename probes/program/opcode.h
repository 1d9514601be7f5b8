// Names for the bits of an instruction slot, shared by everything that reads
// or writes capture programs.
//
// Source: RFC 9669, sections 3 (encoding), 4 (arithmetic and jumps) and 5
// (loads and stores). Only what the profile in program.h admits has a name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "probes/program/program.h"
#include "probes/runtime/layout.h"

namespace nohalt::program {

enum class Register : std::uint8_t { kR0, kR1, kR2, kR3, kR4, kR5, kR6, kR7, kR8, kR9, kR10 };
inline constexpr std::size_t kRegisterCount = 11;
inline constexpr Register kFramePointer = Register::kR10;

// The low three bits of an opcode.
enum class InstructionClass : std::uint8_t {
  kLoadImmediate = 0x00,
  kLoad = 0x01,
  kStoreImmediate = 0x02,
  kStore = 0x03,
  kAlu32 = 0x04,
  kJump64 = 0x05,
  kJump32 = 0x06,
  kAlu64 = 0x07,
};

// The high four bits, in the arithmetic classes.
enum class AluOp : std::uint8_t {
  kAdd = 0x00,
  kSub = 0x10,
  kMul = 0x20,
  kDiv = 0x30,  // unsigned
  kOr = 0x40,
  kAnd = 0x50,
  kShiftLeft = 0x60,
  kShiftRight = 0x70,  // logical
  kNegate = 0x80,
  kMod = 0x90,  // unsigned
  kXor = 0xa0,
  kMove = 0xb0,
  kShiftRightSigned = 0xc0,
};

// The high four bits, in the jump classes.
enum class JumpOp : std::uint8_t {
  kAlways = 0x00,
  kEqual = 0x10,
  kGreater = 0x20,  // unsigned, as all without "Signed"
  kGreaterEqual = 0x30,
  kAnyBitSet = 0x40,
  kNotEqual = 0x50,
  kSignedGreater = 0x60,
  kSignedGreaterEqual = 0x70,
  kCall = 0x80,
  kExit = 0x90,
  kLess = 0xa0,
  kLessEqual = 0xb0,
  kSignedLess = 0xc0,
  kSignedLessEqual = 0xd0,
};

enum class Width : std::uint8_t { k32, k64 };

// Bits 3 and 4, in the load and store classes.
enum class Size : std::uint8_t { k4 = 0x00, k2 = 0x08, k1 = 0x10, k8 = 0x18 };

inline constexpr std::uint8_t kSourceIsRegister = 0x08;
inline constexpr std::uint8_t kModeMemory = 0x60;  // bits 5 to 7 of a load or store
inline constexpr std::uint8_t kOpcodeLoadImmediate64 = 0x18;
inline constexpr std::uint8_t kOpcodeCall = 0x85;
inline constexpr std::uint8_t kOpcodeExit = 0x95;
inline constexpr std::uint8_t kOpcodeJumpAlways = 0x05;

[[nodiscard]] constexpr InstructionClass class_of(const Instruction& i) {
  return static_cast<InstructionClass>(i.opcode & 0x07);
}
[[nodiscard]] constexpr AluOp alu_op_of(const Instruction& i) {
  return static_cast<AluOp>(i.opcode & 0xf0);
}
[[nodiscard]] constexpr JumpOp jump_op_of(const Instruction& i) {
  return static_cast<JumpOp>(i.opcode & 0xf0);
}
[[nodiscard]] constexpr bool source_is_register(const Instruction& i) {
  return (i.opcode & kSourceIsRegister) != 0;
}
[[nodiscard]] constexpr std::uint32_t bytes_of(Size size) {
  switch (size) {
    case Size::k1:
      return 1;
    case Size::k2:
      return 2;
    case Size::k4:
      return 4;
    case Size::k8:
      break;
  }
  return 8;
}
// Of a load or store instruction.
[[nodiscard]] constexpr std::uint32_t access_size_of(const Instruction& i) {
  return bytes_of(static_cast<Size>(i.opcode & 0x18));
}
[[nodiscard]] constexpr bool is_alu(const Instruction& i) {
  return class_of(i) == InstructionClass::kAlu32 || class_of(i) == InstructionClass::kAlu64;
}
[[nodiscard]] constexpr bool is_jump_class(const Instruction& i) {
  return class_of(i) == InstructionClass::kJump32 || class_of(i) == InstructionClass::kJump64;
}
// A jump that may fall through.
[[nodiscard]] constexpr bool is_conditional_jump(const Instruction& i) {
  return is_jump_class(i) && i.opcode != kOpcodeJumpAlways && i.opcode != kOpcodeCall &&
         i.opcode != kOpcodeExit;
}
// The value of the two slots of a 64-bit immediate load.
[[nodiscard]] constexpr std::uint64_t wide_immediate(const Instruction& low,
                                                     const Instruction& high) {
  return static_cast<std::uint32_t>(low.imm) |
         (static_cast<std::uint64_t>(static_cast<std::uint32_t>(high.imm)) << 32);
}
// What a 32-bit immediate is worth in 64 bits.
[[nodiscard]] constexpr std::uint64_t sign_extended(std::int32_t imm) {
  return static_cast<std::uint64_t>(static_cast<std::int64_t>(imm));
}

// What a helper takes: see program.h for what it does.
struct HelperSignature {
  Helper helper;
  std::string_view name;
  bool writes_memory;  // r1 is `to`, r2 a constant size, r3 `from`
  // r4 is a length (of tree_next the links, of read_wide the unit, of next_full how many)
  bool takes_length;
  bool takes_body;    // r1 is the record's body
  bool counts_bytes;  // the result is how many bytes were read, where it is not negative
  bool gives_token = false;
  bool takes_frame = false;  // r1 is a number
};

inline constexpr HelperSignature kHelpers[] = {
    {Helper::kTakeToken, "take_token", false, false, false, false, true},
    {Helper::kReserve, "reserve", false, false, false, false},
    {Helper::kCommit, "commit", false, false, true, false},
    {Helper::kAbandon, "abandon", false, false, true, false},
    {Helper::kReadFrame, "read_frame", true, false, false, false},
    {Helper::kReadStatic, "read_static", true, false, false, false},
    {Helper::kReadUser, "read_user", true, false, false, false},
    {Helper::kReadBytes, "read_bytes", true, true, false, true},
    {Helper::kReadString, "read_string", true, false, false, true},
    {Helper::kReadStack, "read_stack", true, false, false, true},
    {Helper::kTreeNext, "tree_next", true, true, false, false},
    {Helper::kThreadPointer, "thread_pointer", false, false, false, false},
    {Helper::kReadWide, "read_wide", true, true, false, true},
    {Helper::kNextFull, "next_full", true, true, false, false},
    {Helper::kOpenCall, "open_call", false, false, false, false, true, true},
    {Helper::kCloseCall, "close_call", false, false, false, false, true, true},
};

// Null for a number that is no helper's.
[[nodiscard]] constexpr const HelperSignature* find_helper(std::int32_t number) {
  for (const HelperSignature& signature : kHelpers)
    if (static_cast<std::int32_t>(signature.helper) == number) return &signature;
  return nullptr;
}

// At most, of a helper that reads `size` bytes; where it is likely that none is
// made, none.
[[nodiscard]] constexpr std::uint32_t system_calls_of(Helper helper, std::uint64_t size) {
  if (helper == Helper::kReadFrame || helper == Helper::kReadStatic) return 0;
  if (helper == Helper::kTreeNext) return runtime::kTreeSteps;
  if (helper == Helper::kNextFull) return runtime::kTableSteps;
  constexpr std::uint64_t kPage = 4096;  // read_stack goes page by page
  return helper == Helper::kReadStack ? static_cast<std::uint32_t>(size / kPage + 2) : 1;
}

// Of the target's memory, at most, of a helper whose `to` is `size` bytes.
[[nodiscard]] constexpr std::uint32_t bytes_read_by(Helper helper, std::uint64_t size) {
  if (helper == Helper::kTreeNext) return runtime::kTreeSteps * runtime::kTreeNodeBytes;
  if (helper == Helper::kNextFull) return runtime::kTableSteps * static_cast<std::uint32_t>(size);
  return static_cast<std::uint32_t>(size);
}
// Whether a read may have that size, as far as its helper goes.
[[nodiscard]] constexpr bool is_size_for(Helper helper, std::uint64_t size) {
  if (helper == Helper::kTreeNext) return size == 8;
  return size > 0 &&
         size <= (helper == Helper::kNextFull ? runtime::kTablePiece : runtime::kMaxRecordBody);
}

}  // namespace nohalt::program
