// Turns Capstone's view of an instruction into ours. Capstone 4.0.2 is trusted
// for lengths, operands and register effects, and checked against our own
// reading of prefixes and ModRM where a wrong answer would bend a target:
// sizes of RIP-relative displacements (it reports 2 under a 66 prefix) are
// taken from the encoding itself (Intel SDM volume 2, section 2.1 and 2.2).

#include <capstone/capstone.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "probes/engines/inline/sites/instruction.h"

namespace nohalt::inline_sites {
namespace {

// One Capstone handle a thread: handles are not shared between threads.
class Handle {
 public:
  Handle() {
    if (cs_open(CS_ARCH_X86, CS_MODE_64, &handle_) != CS_ERR_OK) return;
    cs_option(handle_, CS_OPT_DETAIL, CS_OPT_ON);
    instruction_ = cs_malloc(handle_);
  }
  ~Handle() {
    if (instruction_ != nullptr) cs_free(instruction_, 1);
    if (handle_ != 0) cs_close(&handle_);
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  [[nodiscard]] const cs_insn* next(std::span<const std::uint8_t> bytes) {
    if (instruction_ == nullptr) return nullptr;
    const std::uint8_t* code = bytes.data();
    std::size_t size = std::min(bytes.size(), kMaxInstructionLength);
    std::uint64_t address = 0;
    return cs_disasm_iter(handle_, &code, &size, &address, instruction_) ? instruction_ : nullptr;
  }
  [[nodiscard]] csh get() const { return handle_; }

 private:
  csh handle_ = 0;
  cs_insn* instruction_ = nullptr;
};

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

std::int8_t register_number(unsigned reg) {
  if (reg == X86_REG_INVALID || reg == X86_REG_RIZ || reg == X86_REG_EIZ) return kNoRegister;
  if (reg == X86_REG_RIP || reg == X86_REG_EIP || reg == X86_REG_IP) return kRipRegister;
  for (const RegisterName& name : kGeneralRegisters) {
    if (name.reg == reg) return name.number;
  }
  return kOtherRegister;
}

bool is_legacy_prefix(std::uint8_t byte) {
  constexpr std::array<std::uint8_t, 11> kPrefixes = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65,
                                                      0x66, 0x67, 0xf0, 0xf2, 0xf3};
  return std::find(kPrefixes.begin(), kPrefixes.end(), byte) != kPrefixes.end();
}

struct Prefixes {
  std::uint8_t length = 0;
  bool operand_size = false, lock = false, rex_w = false;
};

Prefixes read_prefixes(std::span<const std::uint8_t> code) {
  Prefixes found;
  while (found.length < code.size() && is_legacy_prefix(code[found.length])) {
    found.operand_size |= code[found.length] == 0x66;
    found.lock |= code[found.length] == 0xf0;
    ++found.length;
  }
  if (found.length < code.size() && (code[found.length] & 0xf0) == 0x40) {
    found.rex_w = (code[found.length] & 0x08) != 0;
    ++found.length;
  }
  return found;
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

std::uint32_t bit(Trait trait) { return static_cast<std::uint32_t>(trait); }

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
    case X86_INS_ENDBR64:
    case X86_INS_ENDBR32:
      return bit(Trait::kLandingPad);
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

std::uint32_t group_traits(const cs_detail& detail) {
  std::uint32_t traits = 0;
  for (int i = 0; i < detail.groups_count; ++i) {
    switch (detail.groups[i]) {
      case X86_GRP_PRIVILEGE:
      case X86_GRP_VM:
        traits |= bit(Trait::kPrivileged);
        break;
      case X86_GRP_RTM:
        traits |= bit(Trait::kTransaction);
        break;
      case X86_GRP_FPU:
      case X86_GRP_3DNOW:
        traits |= bit(Trait::kArithmeticFault);
        break;
      default:
        break;
    }
  }
  return traits;
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

Operand convert(const cs_x86_op& from) {
  Operand to;
  to.size = from.size;
  switch (from.type) {
    case X86_OP_REG:
      to.kind = Operand::Kind::kRegister;
      to.reg = register_number(from.reg);
      break;
    case X86_OP_IMM:
      to.kind = Operand::Kind::kImmediate;
      to.value = from.imm;
      break;
    case X86_OP_MEM:
      to.kind = Operand::Kind::kMemory;
      to.base = register_number(from.mem.base);
      to.index = register_number(from.mem.index);
      to.scale = static_cast<std::uint8_t>(from.mem.scale);
      to.segment = from.mem.segment == X86_REG_FS || from.mem.segment == X86_REG_GS;
      to.value = from.mem.disp;
      break;
    default:
      break;
  }
  return to;
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

void fill_operands(const cs_insn& from, Instruction& to) {
  const cs_x86& x86 = from.detail->x86;
  for (unsigned i = 0; i < x86.op_count; ++i) {
    const Operand operand = convert(x86.operands[i]);
    if (i < to.operands.size()) {
      to.operands[i] = operand;
      to.operand_count = static_cast<std::uint8_t>(i + 1);
    }
    if (operand.kind != Operand::Kind::kMemory) continue;
    if (operand.base == kRipRegister) to.rip_relative = true;
    if (only_names_memory(from.id)) continue;
    to.memory = MemoryUse::kAny;
    // Capstone leaves the access of some operands empty: taken as a write.
    const bool only_read =
        x86.operands[i].access == CS_AC_READ || from.id == X86_INS_CMP || from.id == X86_INS_TEST;
    if (!only_read) to.writes_memory = true;
  }
  if (hidden_memory(from.id)) {
    to.memory = MemoryUse::kAny;
    to.writes_memory = true;
  } else if (to.memory == MemoryUse::kNone && uses_stack(from.id)) {
    to.memory = MemoryUse::kStack;
  }
  if (uses_stack(from.id) && from.id != X86_INS_POP && from.id != X86_INS_RET &&
      from.id != X86_INS_LEAVE) {
    to.writes_memory = true;
  }
}

void fill_written_registers(csh handle, const cs_insn& from, Instruction& to) {
  cs_regs read{};
  cs_regs written{};
  std::uint8_t read_count = 0;
  std::uint8_t written_count = 0;
  if (cs_regs_access(handle, &from, read, &read_count, written, &written_count) != CS_ERR_OK) {
    to.writes_general = 0xffff;
    to.writes_vector = true;
    return;
  }
  for (std::size_t i = 0; i < written_count; ++i) {
    if (written[i] == X86_REG_EFLAGS) continue;
    const std::int8_t number = register_number(written[i]);
    if (number >= 0 && number < 16) {
      to.writes_general = static_cast<std::uint16_t>(to.writes_general | (1U << number));
    } else if (number == kOtherRegister) {
      to.writes_vector = true;
    }
  }
}

std::int32_t read_i32(const std::uint8_t* at) {
  std::int32_t value = 0;
  std::memcpy(&value, at, sizeof value);
  return value;
}

// Where the distance lies and what it is; false where the encoding is not the
// one that the decoded form implies.
bool fill_relative(const cs_insn& from, Instruction& to) {
  const cs_x86& x86 = from.detail->x86;
  if (to.rip_relative) {
    const std::size_t modrm = to.modrm_offset;
    if (modrm == 0 || modrm + 5 > to.length || (to.bytes[modrm] & 0xc7) != 0x05) return false;
    to.relative = read_i32(&to.bytes[modrm + 1]);
    return true;
  }
  if (!to.is_direct_branch()) return true;
  if (to.has(Trait::kOddBranch)) return true;  // refused by name, its distance is in doubt
  const std::size_t at = x86.encoding.imm_offset;
  if (at + 1U == to.length) {
    to.relative = static_cast<std::int8_t>(to.bytes[at]);
  } else if (at + 4U == to.length) {
    to.relative = read_i32(&to.bytes[at]);
  } else {
    return false;
  }
  // Decoded at address 0, so the operand is the distance plus the length.
  return x86.operands[0].imm == to.relative + to.length;
}

// Shadow stack instructions are newer than Capstone 4: it does not know rdssp
// (f3 0f 1e /1) and takes incssp (f3 0f ae /5) for lfence.
bool is_shadow_stack(std::span<const std::uint8_t> code, std::uint8_t prefix_length) {
  if (code.size() < prefix_length + 3U || code[0] != 0xf3 || code[prefix_length] != 0x0f) {
    return false;
  }
  const std::uint8_t opcode = code[prefix_length + 1U];
  const std::uint8_t operation = code[prefix_length + 2U] & 0xf8;  // register form and its field
  return (opcode == 0x1e && operation == 0xc8) || (opcode == 0xae && operation == 0xe8);
}

std::optional<Instruction> decode_missing(std::span<const std::uint8_t> bytes) {
  const Prefixes prefixes = read_prefixes(bytes);
  if (!is_shadow_stack(bytes, prefixes.length)) return std::nullopt;
  Instruction out;
  out.length = static_cast<std::uint8_t>(prefixes.length + 3);
  std::copy_n(bytes.begin(), out.length, out.bytes.begin());
  out.prefix_length = prefixes.length;
  out.traits = bit(Trait::kShadowStack);
  out.writes_general = 0xffff;
  return out;
}

}  // namespace

std::optional<Instruction> decode(std::span<const std::uint8_t> bytes) {
  thread_local Handle handle;
  const cs_insn* found = handle.next(bytes);
  if (found == nullptr) return decode_missing(bytes);
  if (found->size == 0 || found->size > bytes.size()) return std::nullopt;
  const cs_x86& x86 = found->detail->x86;
  Instruction out;
  out.length = static_cast<std::uint8_t>(found->size);
  std::copy_n(bytes.begin(), out.length, out.bytes.begin());
  const Prefixes prefixes = read_prefixes(out.code());
  if (prefixes.length >= out.length) return std::nullopt;
  out.prefix_length = prefixes.length;
  out.modrm_offset = x86.encoding.modrm_offset;
  out.operation = operation_of(found->id);
  const bool direct = x86.op_count > 0 && x86.operands[0].type == X86_OP_IMM;
  out.flow = flow_of(found->id, direct);
  out.traits = id_traits(found->id) | group_traits(*found->detail);
  if (vector_arithmetic(found->mnemonic)) out.traits |= bit(Trait::kArithmeticFault);
  if (prefixes.lock) out.traits |= bit(Trait::kLock);
  if (is_shadow_stack(out.code(), prefixes.length)) out.traits |= bit(Trait::kShadowStack);
  if (out.opcode() == 0x62) out.traits |= bit(Trait::kEvex);
  const bool branches = out.flow != Flow::kNext && out.flow != Flow::kStop;
  if (branches && prefixes.operand_size && !prefixes.rex_w) out.traits |= bit(Trait::kOddBranch);
  // mov to ss blocks exceptions for one boundary; Capstone knows it as mov only.
  if (out.opcode() == 0x8e && out.modrm_offset != 0 &&
      ((out.bytes[out.modrm_offset] >> 3) & 7) == 2) {
    out.traits |= bit(Trait::kExceptionMasking);
  }
  fill_operands(*found, out);
  fill_written_registers(handle.get(), *found, out);
  if (!fill_relative(*found, out)) return std::nullopt;
  return out;
}

}  // namespace nohalt::inline_sites
