// Writes capture programs: typed methods for each instruction of the profile
// and labels for its forward jumps.
//
// An Assembler is used once, by one thread. Mistakes (a jump that would go
// backward or too far, a label never bound, too many instructions) are kept
// and reported by finish(); what the program means is the verifier's business.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "probes/program/opcode.h"
#include "probes/program/program.h"
#include "src/base/result.h"

namespace nohalt::program {

class Assembler {
 public:
  class Label {
    friend class Assembler;
    std::size_t index = 0;
  };

  [[nodiscard]] Label new_label();
  // The label stands for the next instruction. Jumps to it must come before.
  void bind(Label label);

  void mov(Register dst, Register src);
  // Any 64-bit constant, in one slot where the immediate's sign extension allows it.
  void mov(Register dst, std::uint64_t value);
  void alu(AluOp op, Register dst, Register src, Width width = Width::k64);
  void alu(AluOp op, Register dst, std::int32_t imm, Width width = Width::k64);
  void negate(Register dst, Width width = Width::k64);
  // Zero-extended.
  void load(Size size, Register dst, Register base, std::int16_t offset);
  void store(Size size, Register base, std::int16_t offset, Register src);
  // The sign-extended immediate's low bytes.
  void store(Size size, Register base, std::int16_t offset, std::int32_t imm);
  void jump(Label target);
  void jump_if(JumpOp op, Register left, Register right, Label target, Width width = Width::k64);
  void jump_if(JumpOp op, Register left, std::int32_t right, Label target,
               Width width = Width::k64);
  void call(Helper helper);
  void exit();
  // mov r0, outcome; exit
  void exit(Outcome outcome);

  // Slots so far.
  [[nodiscard]] std::size_t size() const { return code_.size(); }
  // The program, its jumps resolved. The assembler is empty afterwards.
  [[nodiscard]] Result<std::vector<Instruction>> finish();

 private:
  struct Jump {
    std::size_t from;
    std::size_t label;
  };
  void emit(std::uint8_t opcode, Register dst, Register src, std::int16_t offset, std::int32_t imm);
  void emit_jump(std::uint8_t opcode, Register dst, Register src, std::int32_t imm, Label target);

  std::vector<Instruction> code_;
  std::vector<std::optional<std::size_t>> labels_;
  std::vector<Jump> jumps_;
};

}  // namespace nohalt::program
