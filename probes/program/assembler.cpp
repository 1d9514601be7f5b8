// The assembler: appends slots, remembers jumps, resolves them at the end.
#include "probes/program/assembler.h"

#include <string>
#include <utility>

namespace nohalt::program {
namespace {

constexpr Register kNoRegister = Register::kR0;

template <class Op>
constexpr std::uint8_t opcode(InstructionClass cls, Op op, std::uint8_t source = 0) {
  return static_cast<std::uint8_t>(static_cast<unsigned>(cls) | static_cast<unsigned>(op) | source);
}

constexpr InstructionClass alu_class(Width width) {
  return width == Width::k64 ? InstructionClass::kAlu64 : InstructionClass::kAlu32;
}
constexpr InstructionClass jump_class(Width width) {
  return width == Width::k64 ? InstructionClass::kJump64 : InstructionClass::kJump32;
}
constexpr std::uint8_t memory_opcode(InstructionClass cls, Size size) {
  return opcode(cls, size, kModeMemory);
}

}  // namespace

Assembler::Label Assembler::new_label() {
  Label label;
  label.index = labels_.size();
  labels_.emplace_back();
  return label;
}

void Assembler::bind(Label label) { labels_[label.index] = code_.size(); }

void Assembler::emit(std::uint8_t op, Register dst, Register src, std::int16_t offset,
                     std::int32_t imm) {
  Instruction i;
  i.opcode = op;
  i.dst = static_cast<std::uint8_t>(dst) & 0x0f;
  i.src = static_cast<std::uint8_t>(src) & 0x0f;
  i.offset = offset;
  i.imm = imm;
  code_.push_back(i);
}

void Assembler::mov(Register dst, Register src) { alu(AluOp::kMove, dst, src); }

void Assembler::mov(Register dst, std::uint64_t value) {
  const auto low = static_cast<std::int32_t>(static_cast<std::uint32_t>(value));
  if (sign_extended(low) == value) {
    alu(AluOp::kMove, dst, low);
    return;
  }
  emit(kOpcodeLoadImmediate64, dst, kNoRegister, 0, low);
  emit(0, kNoRegister, kNoRegister, 0,
       static_cast<std::int32_t>(static_cast<std::uint32_t>(value >> 32)));
}

void Assembler::alu(AluOp op, Register dst, Register src, Width width) {
  emit(opcode(alu_class(width), op, kSourceIsRegister), dst, src, 0, 0);
}

void Assembler::alu(AluOp op, Register dst, std::int32_t imm, Width width) {
  emit(opcode(alu_class(width), op), dst, kNoRegister, 0, imm);
}

void Assembler::negate(Register dst, Width width) { alu(AluOp::kNegate, dst, 0, width); }

void Assembler::load(Size size, Register dst, Register base, std::int16_t offset) {
  emit(memory_opcode(InstructionClass::kLoad, size), dst, base, offset, 0);
}

void Assembler::store(Size size, Register base, std::int16_t offset, Register src) {
  emit(memory_opcode(InstructionClass::kStore, size), base, src, offset, 0);
}

void Assembler::store(Size size, Register base, std::int16_t offset, std::int32_t imm) {
  emit(memory_opcode(InstructionClass::kStoreImmediate, size), base, kNoRegister, offset, imm);
}

void Assembler::emit_jump(std::uint8_t op, Register dst, Register src, std::int32_t imm,
                          Label target) {
  jumps_.push_back({code_.size(), target.index});
  emit(op, dst, src, 0, imm);
}

void Assembler::jump(Label target) {
  emit_jump(kOpcodeJumpAlways, kNoRegister, kNoRegister, 0, target);
}

void Assembler::jump_if(JumpOp op, Register left, Register right, Label target, Width width) {
  emit_jump(opcode(jump_class(width), op, kSourceIsRegister), left, right, 0, target);
}

void Assembler::jump_if(JumpOp op, Register left, std::int32_t right, Label target, Width width) {
  emit_jump(opcode(jump_class(width), op), left, kNoRegister, right, target);
}

void Assembler::call(Helper helper) {
  emit(kOpcodeCall, kNoRegister, kNoRegister, 0, static_cast<std::int32_t>(helper));
}

void Assembler::exit() { emit(kOpcodeExit, kNoRegister, kNoRegister, 0, 0); }

void Assembler::exit(Outcome outcome) {
  mov(Register::kR0, static_cast<std::uint64_t>(outcome));
  exit();
}

Result<std::vector<Instruction>> Assembler::finish() {
  if (code_.size() > kMaxInstructions)
    return fail(ErrorCode::kRefused, "program-too-long",
                "The capture program needs " + std::to_string(code_.size()) +
                    " instructions; at most " + std::to_string(kMaxInstructions) + " are admitted.",
                "Capture fewer values, or lower --depth.");
  for (const Jump& jump : jumps_) {
    const std::optional<std::size_t> target = labels_[jump.label];
    if (!target)
      return fail(
          ErrorCode::kInternal, "label-unbound",
          "Instruction " + std::to_string(jump.from) + " jumps to a label without a place.");
    if (*target <= jump.from)
      return fail(ErrorCode::kInternal, "backward-jump",
                  "Instruction " + std::to_string(jump.from) + " jumps backward.");
    // kMaxInstructions keeps every distance within the 16 bits of the slot.
    code_[jump.from].offset = static_cast<std::int16_t>(*target - jump.from - 1);
  }
  labels_.clear();
  jumps_.clear();
  return std::exchange(code_, {});
}

}  // namespace nohalt::program
