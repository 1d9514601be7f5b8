// One decoded x86-64 instruction, as far as patching needs to know it. It has no
// address: distances are counted from the instruction's end, so that the same
// value serves link-time and run-time reasoning. Decoding is Capstone's; none of
// its types appear here.
//
// Threading: plain values; decode() may be called from any thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

namespace nohalt::inline_sites {

inline constexpr std::size_t kMaxInstructionLength = 15;

// Where control goes after the instruction.
enum class Flow : std::uint8_t {
  kNext,          // only to the next instruction
  kJump,          // direct, always
  kConditional,   // direct, on flags
  kCounted,       // loop, loope, loopne, jrcxz, jecxz: direct, on rcx, 8-bit distance only
  kCall,          // direct
  kIndirectJump,  // through a register or memory
  kIndirectCall,
  kReturn,  // near return
  kStop,    // never goes on by itself: ud2, hlt, far transfers
};

// Properties that decide whether an instruction may run elsewhere. A bit set.
enum class Trait : std::uint32_t {
  kLock = 1U << 0,              // carries a LOCK prefix
  kEvex = 1U << 1,              // EVEX encoded
  kSystemCall = 1U << 2,        // syscall, sysenter, int n
  kTrap = 1U << 3,              // int3, int1, into, ud0, ud1, ud2
  kPrivileged = 1U << 4,        // faults in user mode, or needs I/O privilege
  kTransaction = 1U << 5,       // xbegin, xend, xabort
  kExceptionMasking = 1U << 6,  // mov ss, pop ss, popf, sti: the next boundary is special
  kFarTransfer = 1U << 7,       // far jump, call and return, iret
  kArithmeticFault = 1U << 8,   // div, idiv, and floating point that may be unmasked
  kOddBranch = 1U << 9,         // near branch with an operand-size prefix: processors disagree
  kShadowStack = 1U << 10,      // reads or moves the shadow stack pointer
};

enum class MemoryUse : std::uint8_t { kNone, kStack, kAny };  // kStack: push, pop, call, ret...

// What jump tables and alternatives look at; everything else is kOther.
enum class Operation : std::uint8_t {
  kOther,
  kMove,
  kMoveZeroExtend,
  kMoveSignExtend,
  kLea,
  kAdd,
  kCompare,
  kAnd,
  kJumpAbove,
  kNop
};

inline constexpr std::int8_t kNoRegister = -1;
inline constexpr std::int8_t kRipRegister = 16;
inline constexpr std::int8_t kOtherRegister = 17;  // a vector, segment or other register

struct Operand {
  enum class Kind : std::uint8_t { kNone, kRegister, kImmediate, kMemory };
  Kind kind = Kind::kNone;
  std::uint8_t size = 0;           // bytes
  std::int8_t reg = kNoRegister;   // general register number (rax 0 .. r15 15)
  std::int8_t base = kNoRegister;  // of a memory operand
  std::int8_t index = kNoRegister;
  std::uint8_t scale = 1;
  bool segment = false;    // fs or gs relative
  std::int64_t value = 0;  // immediate, or displacement

  friend bool operator==(const Operand&, const Operand&) = default;
};

struct Instruction {
  std::array<std::uint8_t, kMaxInstructionLength> bytes{};
  std::uint8_t length = 0;
  std::uint8_t prefix_length = 0;  // legacy prefixes and REX; 0 for VEX forms
  std::uint8_t modrm_offset = 0;   // 0: no ModRM byte
  Flow flow = Flow::kNext;
  MemoryUse memory = MemoryUse::kNone;
  Operation operation = Operation::kOther;
  bool writes_memory = false;
  bool rip_relative = false;         // a memory operand (or lea) relative to rip
  bool writes_vector = false;        // any register beyond the general ones and flags
  std::uint16_t writes_general = 0;  // bit per general register, implicit ones too
  std::uint32_t traits = 0;
  std::uint8_t operand_count = 0;
  std::array<Operand, 3> operands{};
  // Direct branch: target; RIP-relative: operand. Distance from the end.
  std::int64_t relative = 0;

  [[nodiscard]] bool has(Trait trait) const {
    return (traits & static_cast<std::uint32_t>(trait)) != 0;
  }
  [[nodiscard]] std::span<const std::uint8_t> code() const { return {bytes.data(), length}; }
  [[nodiscard]] std::uint8_t opcode() const { return bytes[prefix_length]; }
  [[nodiscard]] bool is_direct_branch() const {
    return flow == Flow::kJump || flow == Flow::kConditional || flow == Flow::kCounted ||
           flow == Flow::kCall;
  }
  // False where the next instruction is reached, if at all, by another way.
  [[nodiscard]] bool falls_through() const {
    return flow != Flow::kJump && flow != Flow::kIndirectJump && flow != Flow::kReturn &&
           flow != Flow::kStop;
  }
};

// The instruction at the start of `bytes`; nothing where they do not decode or
// decode to something whose length is in doubt.
[[nodiscard]] std::optional<Instruction> decode(std::span<const std::uint8_t> bytes);

}  // namespace nohalt::inline_sites
