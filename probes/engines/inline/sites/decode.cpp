// Turns Capstone's view of an instruction into ours. Capstone 4.0.2 is trusted
// for lengths, operands and register effects, and checked against our own
// reading of prefixes and ModRM where a wrong answer would bend a target:
// sizes of RIP-relative displacements (it reports 2 under a 66 prefix) are
// taken from the encoding itself (Intel SDM volume 2, section 2.1 and 2.2).

#include <capstone/capstone.h>

#include <algorithm>
#include <cstring>

#include "probes/engines/inline/sites/instruction.h"
#include "probes/engines/inline/sites/opcode_tables.h"

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
