// Shape of single instructions. A field that an instruction does not use must
// be zero (RFC 9669 section 3.1), so that no meaning hides in one and the same
// bytes mean the same to every executor.
#include "probes/program/shape.h"

#include <optional>
#include <vector>

#include "probes/program/opcode.h"
#include "probes/runtime/layout.h"

namespace nohalt::program {
namespace {

// Which fields an instruction may set.
struct Fields {
  bool dst = false;
  bool src = false;
  bool offset = false;
  bool imm = false;
};

std::optional<Rule> check_fields(const Instruction& i, Fields used) {
  if ((!used.dst && i.dst != 0) || (!used.src && i.src != 0) || (!used.offset && i.offset != 0) ||
      (!used.imm && i.imm != 0))
    return Rule::kUnusedFieldSet;
  if (i.dst >= kRegisterCount || i.src >= kRegisterCount) return Rule::kNoSuchRegister;
  return std::nullopt;
}

std::optional<Rule> check_alu(const Instruction& i) {
  const AluOp op = alu_op_of(i);
  if (op > AluOp::kShiftRightSigned) return Rule::kUnknownInstruction;
  const bool by_register = source_is_register(i);
  if (op == AluOp::kNegate) {
    if (by_register) return Rule::kUnknownInstruction;
    return check_fields(i, {.dst = true});
  }
  if (auto broken = check_fields(i, {.dst = true, .src = by_register, .imm = !by_register}))
    return broken;
  const bool shifts =
      op == AluOp::kShiftLeft || op == AluOp::kShiftRight || op == AluOp::kShiftRightSigned;
  const std::int32_t width = class_of(i) == InstructionClass::kAlu64 ? 64 : 32;
  if (shifts && !by_register && (i.imm < 0 || i.imm >= width)) return Rule::kShiftTooFar;
  return std::nullopt;
}

std::optional<Rule> check_jump(const Instruction& i) {
  if (i.opcode == kOpcodeExit) return check_fields(i, {});
  if (i.opcode == kOpcodeCall) {
    if (auto broken = check_fields(i, {.imm = true})) return broken;
    if (find_helper(i.imm) == nullptr) return Rule::kUnknownHelper;
    return std::nullopt;
  }
  if (i.opcode == kOpcodeJumpAlways) return check_fields(i, {.offset = true});
  switch (jump_op_of(i)) {
    case JumpOp::kAlways:
    case JumpOp::kCall:
    case JumpOp::kExit:
      return Rule::kUnknownInstruction;
    default:
      break;
  }
  if (jump_op_of(i) > JumpOp::kSignedLessEqual) return Rule::kUnknownInstruction;
  const bool by_register = source_is_register(i);
  return check_fields(i, {.dst = true, .src = by_register, .offset = true, .imm = !by_register});
}

std::optional<Rule> check_memory(const Instruction& i) {
  if ((i.opcode & 0xe0) != kModeMemory) return Rule::kUnknownInstruction;
  switch (class_of(i)) {
    case InstructionClass::kStoreImmediate:
      return check_fields(i, {.dst = true, .offset = true, .imm = true});
    default:
      return check_fields(i, {.dst = true, .src = true, .offset = true});
  }
}

bool writes_dst(const Instruction& i) {
  return is_alu(i) || class_of(i) == InstructionClass::kLoad ||
         class_of(i) == InstructionClass::kLoadImmediate;
}

std::optional<Rule> check_one(const Instruction& i) {
  std::optional<Rule> broken;
  switch (class_of(i)) {
    case InstructionClass::kLoadImmediate:
      if (i.opcode != kOpcodeLoadImmediate64) return Rule::kUnknownInstruction;
      broken = check_fields(i, {.dst = true, .imm = true});
      break;
    case InstructionClass::kLoad:
    case InstructionClass::kStoreImmediate:
    case InstructionClass::kStore:
      broken = check_memory(i);
      break;
    case InstructionClass::kAlu32:
    case InstructionClass::kAlu64:
      broken = check_alu(i);
      break;
    case InstructionClass::kJump32:
    case InstructionClass::kJump64:
      broken = check_jump(i);
      break;
  }
  if (broken) return broken;
  if (writes_dst(i) && i.dst == static_cast<std::uint8_t>(kFramePointer))
    return Rule::kFramePointerWritten;
  return std::nullopt;
}

std::optional<Rule> check_target(const std::vector<Instruction>& code,
                                 const std::vector<bool>& is_second_slot, std::size_t from) {
  const Instruction& i = code[from];
  if (!is_conditional_jump(i) && i.opcode != kOpcodeJumpAlways) return std::nullopt;
  if (i.offset < 0) return Rule::kJumpBackward;
  const std::size_t target = from + 1 + static_cast<std::size_t>(i.offset);
  if (target >= code.size() || is_second_slot[target]) return Rule::kJumpOutside;
  return std::nullopt;
}

}  // namespace

std::expected<void, Violation> check_shape(const Program& program) {
  const std::vector<Instruction>& code = program.code;
  if (code.empty()) return std::unexpected(Violation{Rule::kProgramEmpty, 0});
  if (code.size() > kMaxInstructions)
    return std::unexpected(Violation{Rule::kProgramTooLong, kMaxInstructions});
  if (program.record_size > runtime::kMaxRecordBody)
    return std::unexpected(Violation{Rule::kRecordTooLarge, 0});

  std::vector<bool> is_second_slot(code.size(), false);
  for (std::size_t at = 0; at < code.size(); ++at) {
    if (is_second_slot[at]) continue;
    if (const auto broken = check_one(code[at])) return std::unexpected(Violation{*broken, at});
    if (code[at].opcode != kOpcodeLoadImmediate64) continue;
    if (at + 1 >= code.size()) return std::unexpected(Violation{Rule::kFallsOffTheEnd, at});
    is_second_slot[at + 1] = true;
    if (code[at + 1].opcode != 0 || check_fields(code[at + 1], {.imm = true}))
      return std::unexpected(Violation{Rule::kUnusedFieldSet, at + 1});
  }
  for (std::size_t at = 0; at < code.size(); ++at) {
    if (is_second_slot[at]) continue;
    if (const auto broken = check_target(code, is_second_slot, at))
      return std::unexpected(Violation{*broken, at});
  }
  return {};
}

}  // namespace nohalt::program
