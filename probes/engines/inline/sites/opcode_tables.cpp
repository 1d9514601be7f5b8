// See the header. Identifiers are Capstone's (capstone/x86.h).

#include "probes/engines/inline/sites/opcode_tables.h"

#include <capstone/capstone.h>

#include <algorithm>
#include <array>

namespace nohalt::inline_sites {
namespace {

struct RegisterName {
  x86_reg reg;
  std::int8_t number;
};

constexpr std::array kGeneralRegisters = {
    RegisterName{X86_REG_RAX, 0},   RegisterName{X86_REG_EAX, 0},   RegisterName{X86_REG_AX, 0},
    RegisterName{X86_REG_AL, 0},    RegisterName{X86_REG_AH, 0},    RegisterName{X86_REG_RCX, 1},
    RegisterName{X86_REG_ECX, 1},   RegisterName{X86_REG_CX, 1},    RegisterName{X86_REG_CL, 1},
    RegisterName{X86_REG_CH, 1},    RegisterName{X86_REG_RDX, 2},   RegisterName{X86_REG_EDX, 2},
    RegisterName{X86_REG_DX, 2},    RegisterName{X86_REG_DL, 2},    RegisterName{X86_REG_DH, 2},
    RegisterName{X86_REG_RBX, 3},   RegisterName{X86_REG_EBX, 3},   RegisterName{X86_REG_BX, 3},
    RegisterName{X86_REG_BL, 3},    RegisterName{X86_REG_BH, 3},    RegisterName{X86_REG_RSP, 4},
    RegisterName{X86_REG_ESP, 4},   RegisterName{X86_REG_SP, 4},    RegisterName{X86_REG_SPL, 4},
    RegisterName{X86_REG_RBP, 5},   RegisterName{X86_REG_EBP, 5},   RegisterName{X86_REG_BP, 5},
    RegisterName{X86_REG_BPL, 5},   RegisterName{X86_REG_RSI, 6},   RegisterName{X86_REG_ESI, 6},
    RegisterName{X86_REG_SI, 6},    RegisterName{X86_REG_SIL, 6},   RegisterName{X86_REG_RDI, 7},
    RegisterName{X86_REG_EDI, 7},   RegisterName{X86_REG_DI, 7},    RegisterName{X86_REG_DIL, 7},
    RegisterName{X86_REG_R8, 8},    RegisterName{X86_REG_R8D, 8},   RegisterName{X86_REG_R8W, 8},
    RegisterName{X86_REG_R8B, 8},   RegisterName{X86_REG_R9, 9},    RegisterName{X86_REG_R9D, 9},
    RegisterName{X86_REG_R9W, 9},   RegisterName{X86_REG_R9B, 9},   RegisterName{X86_REG_R10, 10},
    RegisterName{X86_REG_R10D, 10}, RegisterName{X86_REG_R10W, 10}, RegisterName{X86_REG_R10B, 10},
    RegisterName{X86_REG_R11, 11},  RegisterName{X86_REG_R11D, 11}, RegisterName{X86_REG_R11W, 11},
    RegisterName{X86_REG_R11B, 11}, RegisterName{X86_REG_R12, 12},  RegisterName{X86_REG_R12D, 12},
    RegisterName{X86_REG_R12W, 12}, RegisterName{X86_REG_R12B, 12}, RegisterName{X86_REG_R13, 13},
    RegisterName{X86_REG_R13D, 13}, RegisterName{X86_REG_R13W, 13}, RegisterName{X86_REG_R13B, 13},
    RegisterName{X86_REG_R14, 14},  RegisterName{X86_REG_R14D, 14}, RegisterName{X86_REG_R14W, 14},
    RegisterName{X86_REG_R14B, 14}, RegisterName{X86_REG_R15, 15},  RegisterName{X86_REG_R15D, 15},
    RegisterName{X86_REG_R15W, 15}, RegisterName{X86_REG_R15B, 15},
};

}  // namespace

std::int8_t register_number(unsigned reg) {
  if (reg == X86_REG_INVALID || reg == X86_REG_RIZ || reg == X86_REG_EIZ) return kNoRegister;
  if (reg == X86_REG_RIP || reg == X86_REG_EIP || reg == X86_REG_IP) return kRipRegister;
  for (const RegisterName& name : kGeneralRegisters) {
    if (name.reg == reg) return name.number;
  }
  return kOtherRegister;
}

Flow flow_of(unsigned id, bool direct) {
  switch (id) {
    case X86_INS_JMP:
      return direct ? Flow::kJump : Flow::kIndirectJump;
    case X86_INS_CALL:
      return direct ? Flow::kCall : Flow::kIndirectCall;
    case X86_INS_RET:
      return Flow::kReturn;
    case X86_INS_LOOP:
    case X86_INS_LOOPE:
    case X86_INS_LOOPNE:
    case X86_INS_JRCXZ:
    case X86_INS_JECXZ:
    case X86_INS_JCXZ:
      return Flow::kCounted;
    case X86_INS_JA:
    case X86_INS_JAE:
    case X86_INS_JB:
    case X86_INS_JBE:
    case X86_INS_JE:
    case X86_INS_JNE:
    case X86_INS_JG:
    case X86_INS_JGE:
    case X86_INS_JL:
    case X86_INS_JLE:
    case X86_INS_JO:
    case X86_INS_JNO:
    case X86_INS_JP:
    case X86_INS_JNP:
    case X86_INS_JS:
    case X86_INS_JNS:
      return Flow::kConditional;
    case X86_INS_HLT:
    case X86_INS_UD0:
    case X86_INS_UD2:
    case X86_INS_UD2B:
    case X86_INS_IRET:
    case X86_INS_IRETD:
    case X86_INS_IRETQ:
    case X86_INS_RETF:
    case X86_INS_RETFQ:
    case X86_INS_LJMP:
      return Flow::kStop;
    default:
      return Flow::kNext;
  }
}

Operation operation_of(unsigned id) {
  switch (id) {
    case X86_INS_MOV:
    case X86_INS_MOVABS:
      return Operation::kMove;
    case X86_INS_MOVZX:
      return Operation::kMoveZeroExtend;
    case X86_INS_MOVSX:
    case X86_INS_MOVSXD:
      return Operation::kMoveSignExtend;
    case X86_INS_LEA:
      return Operation::kLea;
    case X86_INS_ADD:
      return Operation::kAdd;
    case X86_INS_CMP:
      return Operation::kCompare;
    case X86_INS_AND:
      return Operation::kAnd;
    case X86_INS_JA:
      return Operation::kJumpAbove;
    case X86_INS_NOP:
    case X86_INS_FNOP:
      return Operation::kNop;
    default:
      return Operation::kOther;
  }
}

std::uint32_t id_traits(unsigned id) {
  switch (id) {
    case X86_INS_SYSCALL:
    case X86_INS_SYSENTER:
    case X86_INS_INT:
      return bit(Trait::kSystemCall);
    case X86_INS_SYSRET:
    case X86_INS_SYSEXIT:
      return bit(Trait::kPrivileged);
    case X86_INS_INT1:
    case X86_INS_INT3:
    case X86_INS_INTO:
    case X86_INS_UD0:
    case X86_INS_UD2:
    case X86_INS_UD2B:
    case X86_INS_BOUND:
      return bit(Trait::kTrap);
    case X86_INS_XBEGIN:
    case X86_INS_XEND:
    case X86_INS_XABORT:
      return bit(Trait::kTransaction);
    case X86_INS_POPF:
    case X86_INS_POPFD:
    case X86_INS_POPFQ:
    case X86_INS_STI:
    case X86_INS_CLI:
      return bit(Trait::kExceptionMasking);
    case X86_INS_IRET:
    case X86_INS_IRETD:
    case X86_INS_IRETQ:
    case X86_INS_RETF:
    case X86_INS_RETFQ:
    case X86_INS_LJMP:
    case X86_INS_LCALL:
      return bit(Trait::kFarTransfer);
    case X86_INS_DIV:
    case X86_INS_IDIV:
      return bit(Trait::kArithmeticFault);
    // Port access: needs an I/O privilege that no ordinary program has.
    case X86_INS_IN:
    case X86_INS_OUT:
    case X86_INS_INSB:
    case X86_INS_INSD:
    case X86_INS_INSW:
    case X86_INS_OUTSB:
    case X86_INS_OUTSD:
    case X86_INS_OUTSW:
      return bit(Trait::kPrivileged);
    default:
      return 0;
  }
}

// SSE and AVX arithmetic raises floating-point exceptions where they are
// unmasked; moves, shuffles and bit operations never do (SDM volume 2, "SIMD
// Floating-Point Exceptions" of each instruction).
bool vector_arithmetic(std::string_view name) {
  if (name.starts_with('v')) name.remove_prefix(1);
  if (name.starts_with("cvt") || name.starts_with("fm") || name.starts_with("fnm")) return true;
  constexpr std::array<std::string_view, 4> kSuffixes = {"ps", "pd", "ss", "sd"};
  constexpr std::array<std::string_view, 14> kStems = {"add",   "sub",  "mul",  "div",   "sqrt",
                                                       "min",   "max",  "cmp",  "ucomi", "comi",
                                                       "round", "hadd", "hsub", "dp"};
  const auto ends = [&](std::string_view suffix) { return name.ends_with(suffix); };
  const auto begins = [&](std::string_view stem) { return name.starts_with(stem); };
  return std::any_of(kSuffixes.begin(), kSuffixes.end(), ends) &&
         std::any_of(kStems.begin(), kStems.end(), begins);
}

// Instructions that name a memory operand without touching memory.
bool only_names_memory(unsigned id) {
  return id == X86_INS_LEA || id == X86_INS_NOP || id == X86_INS_PREFETCH ||
         id == X86_INS_PREFETCHNTA || id == X86_INS_PREFETCHT0 || id == X86_INS_PREFETCHT1 ||
         id == X86_INS_PREFETCHT2 || id == X86_INS_PREFETCHW;
}

bool uses_stack(unsigned id) {
  switch (id) {
    case X86_INS_PUSH:
    case X86_INS_POP:
    case X86_INS_CALL:
    case X86_INS_RET:
    case X86_INS_LEAVE:
    case X86_INS_ENTER:
    case X86_INS_PUSHF:
    case X86_INS_PUSHFQ:
    case X86_INS_POPF:
    case X86_INS_POPFQ:
      return true;
    default:
      return false;
  }
}

// Memory that is used without being an operand.
bool hidden_memory(unsigned id) {
  switch (id) {
    case X86_INS_XLATB:
    case X86_INS_MASKMOVDQU:
    case X86_INS_MASKMOVQ:
    case X86_INS_VMASKMOVDQU:
    case X86_INS_MONITOR:
      return true;
    default:
      return false;
  }
}

}  // namespace nohalt::inline_sites
