// The listing follows the notation of RFC 9669's tables: w registers are the
// low halves.
#include "probes/program/listing.h"

#include <cstdio>
#include <string_view>

#include "probes/program/opcode.h"

namespace nohalt::program {
namespace {

std::string_view symbol(AluOp op) {
  switch (op) {
    case AluOp::kAdd:
      return "+=";
    case AluOp::kSub:
      return "-=";
    case AluOp::kMul:
      return "*=";
    case AluOp::kDiv:
      return "/=";
    case AluOp::kOr:
      return "|=";
    case AluOp::kAnd:
      return "&=";
    case AluOp::kShiftLeft:
      return "<<=";
    case AluOp::kShiftRight:
      return ">>=";
    case AluOp::kNegate:
      return "= -";
    case AluOp::kMod:
      return "%=";
    case AluOp::kXor:
      return "^=";
    case AluOp::kMove:
      return "=";
    case AluOp::kShiftRightSigned:
      return "s>>=";
  }
  return {};
}

std::string_view symbol(JumpOp op) {
  switch (op) {
    case JumpOp::kEqual:
      return "==";
    case JumpOp::kNotEqual:
      return "!=";
    case JumpOp::kGreater:
      return ">";
    case JumpOp::kGreaterEqual:
      return ">=";
    case JumpOp::kLess:
      return "<";
    case JumpOp::kLessEqual:
      return "<=";
    case JumpOp::kAnyBitSet:
      return "&";
    case JumpOp::kSignedGreater:
      return "s>";
    case JumpOp::kSignedGreaterEqual:
      return "s>=";
    case JumpOp::kSignedLess:
      return "s<";
    case JumpOp::kSignedLessEqual:
      return "s<=";
    case JumpOp::kAlways:
    case JumpOp::kCall:
    case JumpOp::kExit:
      break;
  }
  return {};
}

std::string register_name(unsigned number, Width width = Width::k64) {
  return (width == Width::k64 ? "r" : "w") + std::to_string(number);
}

std::string hex(std::uint64_t value) {
  char text[24];
  std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
  return text;
}

std::string place(const Instruction& i, unsigned base) {
  const int offset = i.offset;
  return "u" + std::to_string(8 * access_size_of(i)) + "[" + register_name(base) +
         (offset < 0 ? " - " : " + ") + std::to_string(offset < 0 ? -offset : offset) + "]";
}

std::string list_alu(const Instruction& i, std::string_view operation) {
  const Width width = class_of(i) == InstructionClass::kAlu64 ? Width::k64 : Width::k32;
  std::string text = register_name(i.dst, width) + " " + std::string(operation);
  if (alu_op_of(i) == AluOp::kNegate) return text + register_name(i.dst, width);
  return text + " " + (source_is_register(i) ? register_name(i.src, width) : std::to_string(i.imm));
}

std::string list_jump(const Instruction& i, std::size_t at) {
  if (i.opcode == kOpcodeExit) return "exit";
  if (i.opcode == kOpcodeCall) {
    const HelperSignature* helper = find_helper(i.imm);
    return "call " + (helper ? std::string(helper->name) : std::to_string(i.imm));
  }
  const std::string target = "goto " + std::to_string(static_cast<std::int64_t>(at) + 1 + i.offset);
  if (i.opcode == kOpcodeJumpAlways) return target;
  const std::string_view relation = symbol(jump_op_of(i));
  if (relation.empty()) return {};
  const Width width = class_of(i) == InstructionClass::kJump64 ? Width::k64 : Width::k32;
  return "if " + register_name(i.dst, width) + " " + std::string(relation) + " " +
         (source_is_register(i) ? register_name(i.src, width) : std::to_string(i.imm)) + " " +
         target;
}

std::string list_known(const Instruction& i, std::size_t at, const Instruction& high) {
  const bool memory = (i.opcode & 0xe0) == kModeMemory;
  switch (class_of(i)) {
    case InstructionClass::kLoadImmediate:
      if (i.opcode != kOpcodeLoadImmediate64) return {};
      return register_name(i.dst) + " = " + hex(wide_immediate(i, high));
    case InstructionClass::kLoad:
      return memory ? register_name(i.dst) + " = " + place(i, i.src) : std::string();
    case InstructionClass::kStoreImmediate:
      return memory ? place(i, i.dst) + " = " + std::to_string(i.imm) : std::string();
    case InstructionClass::kStore:
      return memory ? place(i, i.dst) + " = " + register_name(i.src) : std::string();
    case InstructionClass::kAlu32:
    case InstructionClass::kAlu64: {
      const std::string_view operation = symbol(alu_op_of(i));
      return operation.empty() ? std::string() : list_alu(i, operation);
    }
    case InstructionClass::kJump32:
    case InstructionClass::kJump64:
      break;
  }
  return list_jump(i, at);
}

}  // namespace

std::string list_one(const Instruction& i, std::size_t at, const Instruction& high) {
  std::string text = list_known(i, at, high);
  if (!text.empty()) return text;
  char bytes[64];
  std::snprintf(bytes, sizeof bytes, "?opcode %02x dst %u src %u offset %d imm %d", i.opcode,
                unsigned{i.dst}, unsigned{i.src}, int{i.offset}, i.imm);
  return bytes;
}

std::string list(const Program& program) {
  std::string text;
  const std::vector<Instruction>& code = program.code;
  for (std::size_t at = 0; at < code.size(); ++at) {
    const bool wide = code[at].opcode == kOpcodeLoadImmediate64 && at + 1 < code.size();
    char index[24];
    std::snprintf(index, sizeof index, "%4zu: ", at);
    text += index + list_one(code[at], at, wide ? code[at + 1] : Instruction{}) + "\n";
    if (wide) ++at;
  }
  return text;
}

}  // namespace nohalt::program
