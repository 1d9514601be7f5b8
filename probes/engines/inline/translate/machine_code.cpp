// Decoding by Capstone, narrowed: it names the instruction, and what it names
// must be on the list, with general registers, plain operands and no prefix but
// those that choose the operand's size.
#include "probes/engines/inline/translate/machine_code.h"

#include <capstone/capstone.h>

#include <cstdio>
#include <memory>
#include <optional>

namespace nohalt::inline_translate {
namespace {

struct CapstoneHandle {
  csh handle = 0;
  bool open = cs_open(CS_ARCH_X86, CS_MODE_64, &handle) == CS_ERR_OK &&
              cs_option(handle, CS_OPT_DETAIL, CS_OPT_ON) == CS_ERR_OK;
  CapstoneHandle() = default;
  CapstoneHandle(const CapstoneHandle&) = delete;
  CapstoneHandle& operator=(const CapstoneHandle&) = delete;
  ~CapstoneHandle() {
    if (handle != 0) cs_close(&handle);
  }
};

std::optional<Operation> operation_of(unsigned id) {
  switch (id) {
    case X86_INS_MOV:
    case X86_INS_MOVABS:
      return Operation::kMove;
    case X86_INS_MOVZX:
      return Operation::kMoveZeroExtend;
    case X86_INS_LEA:
      return Operation::kLoadAddress;
    case X86_INS_ADD:
      return Operation::kAdd;
    case X86_INS_SUB:
      return Operation::kSub;
    case X86_INS_AND:
      return Operation::kAnd;
    case X86_INS_OR:
      return Operation::kOr;
    case X86_INS_XOR:
      return Operation::kXor;
    case X86_INS_IMUL:
      return Operation::kMultiply;
    case X86_INS_DIV:
      return Operation::kDivide;
    case X86_INS_NEG:
      return Operation::kNegate;
    case X86_INS_SHL:
      return Operation::kShiftLeft;
    case X86_INS_SHR:
      return Operation::kShiftRight;
    case X86_INS_SAR:
      return Operation::kShiftRightSigned;
    case X86_INS_CMP:
      return Operation::kCompare;
    case X86_INS_TEST:
      return Operation::kTest;
    case X86_INS_PUSH:
      return Operation::kPush;
    case X86_INS_POP:
      return Operation::kPop;
    case X86_INS_JMP:
      return Operation::kJump;
    case X86_INS_CALL:
      return Operation::kCall;
    case X86_INS_RET:
      return Operation::kReturn;
    case X86_INS_JE:
      return Operation::kJumpEqual;
    case X86_INS_JNE:
      return Operation::kJumpNotEqual;
    case X86_INS_JA:
      return Operation::kJumpAbove;
    case X86_INS_JAE:
      return Operation::kJumpAboveEqual;
    case X86_INS_JB:
      return Operation::kJumpBelow;
    case X86_INS_JBE:
      return Operation::kJumpBelowEqual;
    case X86_INS_JG:
      return Operation::kJumpGreater;
    case X86_INS_JGE:
      return Operation::kJumpGreaterEqual;
    case X86_INS_JL:
      return Operation::kJumpLess;
    case X86_INS_JLE:
      return Operation::kJumpLessEqual;
    default:
      return std::nullopt;
  }
}

struct RegisterNames {
  x86_reg r64, r32, r16, r8;
};
// In the machine's order. The high bytes (ah to bh) are not on the list.
constexpr RegisterNames kRegisters[kMachineRegisterCount] = {
    {X86_REG_RAX, X86_REG_EAX, X86_REG_AX, X86_REG_AL},
    {X86_REG_RCX, X86_REG_ECX, X86_REG_CX, X86_REG_CL},
    {X86_REG_RDX, X86_REG_EDX, X86_REG_DX, X86_REG_DL},
    {X86_REG_RBX, X86_REG_EBX, X86_REG_BX, X86_REG_BL},
    {X86_REG_RSP, X86_REG_ESP, X86_REG_SP, X86_REG_SPL},
    {X86_REG_RBP, X86_REG_EBP, X86_REG_BP, X86_REG_BPL},
    {X86_REG_RSI, X86_REG_ESI, X86_REG_SI, X86_REG_SIL},
    {X86_REG_RDI, X86_REG_EDI, X86_REG_DI, X86_REG_DIL},
    {X86_REG_R8, X86_REG_R8D, X86_REG_R8W, X86_REG_R8B},
    {X86_REG_R9, X86_REG_R9D, X86_REG_R9W, X86_REG_R9B},
    {X86_REG_R10, X86_REG_R10D, X86_REG_R10W, X86_REG_R10B},
    {X86_REG_R11, X86_REG_R11D, X86_REG_R11W, X86_REG_R11B},
    {X86_REG_R12, X86_REG_R12D, X86_REG_R12W, X86_REG_R12B},
    {X86_REG_R13, X86_REG_R13D, X86_REG_R13W, X86_REG_R13B},
    {X86_REG_R14, X86_REG_R14D, X86_REG_R14W, X86_REG_R14B},
    {X86_REG_R15, X86_REG_R15D, X86_REG_R15W, X86_REG_R15B},
};

// The register and how many of its bytes are named; size 0: none on the list.
MachineOperand register_operand(x86_reg name) {
  MachineOperand operand;
  for (std::size_t number = 0; number < kMachineRegisterCount; ++number) {
    const RegisterNames& names = kRegisters[number];
    if (name == names.r64) operand.size = 8;
    if (name == names.r32) operand.size = 4;
    if (name == names.r16) operand.size = 2;
    if (name == names.r8) operand.size = 1;
    if (operand.size == 0) continue;
    operand.kind = MachineOperand::Kind::kRegister;
    operand.reg = static_cast<MachineRegister>(number);
    return operand;
  }
  return operand;
}

std::optional<MachineOperand> operand_of(const cs_x86_op& from) {
  MachineOperand operand;
  switch (from.type) {
    case X86_OP_REG:
      operand = register_operand(from.reg);
      if (operand.size == 0 || operand.size != from.size) return std::nullopt;
      return operand;
    case X86_OP_IMM:
      operand.kind = MachineOperand::Kind::kImmediate;
      operand.size = from.size;
      operand.value = from.imm;
      return operand;
    case X86_OP_MEM: {
      if (from.mem.segment != X86_REG_INVALID || from.mem.index != X86_REG_INVALID)
        return std::nullopt;
      const MachineOperand base = register_operand(from.mem.base);
      if (base.size != 8) return std::nullopt;
      operand.kind = MachineOperand::Kind::kMemory;
      operand.size = from.size;
      operand.reg = base.reg;
      operand.value = from.mem.disp;
      return operand;
    }
    default:
      return std::nullopt;
  }
}

// At most the operand-size prefix, then at most one REX, then the opcode: the
// only order that all processors and decoders read alike.
bool has_plain_prefixes(std::span<const std::byte> bytes, bool is_16_bit) {
  std::size_t at = 0;
  const auto byte = [&] { return at < bytes.size() ? std::to_integer<unsigned>(bytes[at]) : 0U; };
  const bool sized = byte() == 0x66;
  if (sized) ++at;
  if ((byte() & 0xf0) == 0x40) {
    if (sized && (byte() & 0x08) != 0) return false;
    ++at;
  }
  switch (byte()) {
    case 0x26:
    case 0x2e:
    case 0x36:
    case 0x3e:
    case 0x64:
    case 0x65:
    case 0x66:
    case 0x67:
    case 0xf0:
    case 0xf2:
    case 0xf3:
    case 0x62:
    case 0xc4:
    case 0xc5:
      return false;
    default:
      break;
  }
  return (byte() & 0xf0) != 0x40 && sized == is_16_bit;
}

std::optional<MachineInstruction> translate_one(const cs_insn& from,
                                                std::span<const std::byte> bytes) {
  const cs_x86& detail = from.detail->x86;
  const std::optional<Operation> operation = operation_of(from.id);
  MachineInstruction result;
  if (!operation || detail.op_count > result.operands.size()) return std::nullopt;
  result.operation = *operation;
  result.size = static_cast<std::uint8_t>(from.size);
  for (std::size_t at = 0; at < detail.op_count; ++at) {
    const auto operand = operand_of(detail.operands[at]);
    if (!operand) return std::nullopt;
    result.operands[at] = *operand;
  }
  // A 16-bit operand may be what is moved to memory, or the source of a zero
  // extension, which needs no prefix.
  const bool is_16_bit = *operation != Operation::kMoveZeroExtend && result.operands[0].size == 2;
  if (!has_plain_prefixes(bytes, is_16_bit)) return std::nullopt;
  if (is_16_bit && (*operation != Operation::kMove || !result.operands[0].is_memory()))
    return std::nullopt;
  result.text = std::string(from.mnemonic) + " " + from.op_str;
  return result;
}

std::string hex_of(std::span<const std::byte> bytes) {
  std::string text;
  for (std::size_t at = 0; at < bytes.size() && at < 15; ++at) {
    char digits[4];
    std::snprintf(digits, sizeof digits, "%02x ", std::to_integer<unsigned>(bytes[at]));
    text += digits;
  }
  return text;
}

}  // namespace

Result<std::vector<MachineInstruction>> decode(std::span<const std::byte> code,
                                               RuntimeAddress address) {
  const CapstoneHandle capstone;
  if (!capstone.open)
    return fail(ErrorCode::kInternal, "capstone-unavailable", "Capstone cannot be started.");
  const std::unique_ptr<cs_insn, void (*)(cs_insn*)> instruction(cs_malloc(capstone.handle),
                                                                 [](cs_insn* i) { cs_free(i, 1); });

  std::vector<MachineInstruction> result;
  const auto* at = reinterpret_cast<const std::uint8_t*>(code.data());
  std::size_t left = code.size();
  std::uint64_t next_address = address.value;
  while (left != 0) {
    const std::size_t offset = code.size() - left;
    const std::span<const std::byte> rest = code.subspan(offset);
    std::optional<MachineInstruction> one;
    if (cs_disasm_iter(capstone.handle, &at, &left, &next_address, instruction.get()))
      one = translate_one(*instruction, rest.first(instruction->size));
    if (!one)
      return fail(ErrorCode::kInternal, "machine-instruction",
                  "The generated code has an instruction that may not be in it, at byte " +
                      std::to_string(offset) + ": " + hex_of(rest));
    one->offset = static_cast<std::uint32_t>(offset);
    result.push_back(std::move(*one));
  }
  return result;
}

}  // namespace nohalt::inline_translate
