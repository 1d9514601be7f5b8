// The emitter's inside, shared by the files that make it up and by no other.
#pragma once

#include <asmjit/x86.h>

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "probes/engines/inline/translate/emitter.h"
#include "probes/engines/inline/translate/liveness.h"

namespace nohalt::inline_translate {

namespace x86 = asmjit::x86;
using program::AluOp;
using program::Helper;
using program::Instruction;
using program::InstructionClass;
using program::JumpOp;
using program::ProgramState;
using program::RegisterState;
using Kind = RegisterState::Kind;

inline constexpr x86::Gp kMachine[program::kRegisterCount] = {
    x86::rax, x86::rsi, x86::rdx, x86::rcx, x86::r8, x86::r9,
    x86::r12, x86::r13, x86::r14, x86::r15, x86::rsp};
inline constexpr x86::Gp kContext = x86::rbp;
inline constexpr x86::Gp kRecord = x86::rbx;
inline constexpr x86::Gp kArgument = x86::rdi;
inline constexpr x86::Gp kScratch = x86::r11;
inline constexpr x86::Gp kScratch2 = x86::r10;

// Slots of: take_token, out where it is denied, reserve, out where there is none.
inline constexpr std::size_t kAdmitLength = 4;

inline bool fits_signed_32(std::uint64_t value) {
  return program::sign_extended(static_cast<std::int32_t>(static_cast<std::uint32_t>(value))) ==
         value;
}

inline x86::Gp sized(x86::Gp reg, std::uint32_t bytes) {
  if (bytes == 8) return reg.r64();
  if (bytes == 4) return reg.r32();
  if (bytes == 2) return reg.r16();
  return reg.r8();
}

// Keeps the first error, so that single instructions need no checks.
class FirstError : public asmjit::ErrorHandler {
 public:
  void handleError(asmjit::Error error, const char* /*message*/,
                   asmjit::BaseEmitter* /*origin*/) override {
    if (first == asmjit::kErrorOk) first = error;
  }
  asmjit::Error first = asmjit::kErrorOk;
};

class Emitter {
 public:
  Emitter(const program::Program& program, const program::VerifiedProgram& verified,
          const Surroundings& surroundings)
      : program_(program),
        verified_(verified),
        surroundings_(surroundings),
        live_after_(live_after(program, verified)) {}
  Result<TranslatedBody> run();

 private:
  void prologue();
  void epilogue();
  void plan_frame();
  void emit(const Instruction& i, std::size_t at);
  void load(const Instruction& i);
  void store(const Instruction& i);
  void alu(const Instruction& i);
  void alu_constant(AluOp op, bool wide, x86::Gp dst, std::uint64_t value);
  void alu_register(AluOp op, bool wide, x86::Gp dst, x86::Gp src);
  void shift_by_register(AluOp op, bool wide, x86::Gp dst, x86::Gp src);
  void divide(AluOp op, bool wide, x86::Gp dst, std::optional<std::uint64_t> by, x86::Gp src);
  void conditional_jump(const Instruction& i, asmjit::Label target);
  void call(const program::HelperSignature& helper, bool result_live);
  void call_entry(RuntimeEntry entry);
  [[nodiscard]] bool admits_at_once(std::size_t at) const;
  [[nodiscard]] bool leaves_with(std::size_t at, program::Outcome outcome) const;
  void find_admission();
  void find_reached();
  void admit(std::size_t at);
  void read(const program::HelperSignature& helper, bool result_live);
  [[nodiscard]] bool is_in_red_zone(std::uint32_t size) const;
  void page_check(std::uint32_t size, asmjit::Label slow);
  void follow_hit_rsp(const Instruction& i);
  void copy_plainly(x86::Gp from, const RegisterState& to, std::uint32_t size, bool result_live);
  void move_constant(x86::Gp dst, std::uint64_t value);
  void materialise(unsigned number);
  [[nodiscard]] bool is_static(std::uint64_t from, std::uint64_t size) const;

  [[nodiscard]] x86::Mem place(const RegisterState& base, std::int32_t offset,
                               std::uint32_t size) const;
  // Of a jump.
  [[nodiscard]] static std::size_t target_of(const Instruction& i, std::size_t at) {
    return at + 1 + static_cast<std::size_t>(i.offset);
  }
  [[nodiscard]] const RegisterState& state(unsigned number) const {
    return state_->registers[number];
  }

  const program::Program& program_;
  const program::VerifiedProgram& verified_;
  const Surroundings& surroundings_;
  std::vector<RegisterSet> live_after_;
  const ProgramState* state_ = nullptr;  // before the current instruction
  // Registers that hold rsp at the hit plus this, as far as straight-line code shows.
  std::array<std::optional<std::int64_t>, program::kRegisterCount> from_hit_rsp_;

  FirstError errors_;
  asmjit::CodeHolder holder_;
  x86::Assembler as_;
  std::vector<asmjit::Label> labels_;
  std::optional<std::size_t> admission_;  // where the program asks for it before all else
  std::vector<bool> reached_;             // by a hit that is admitted, where that is so
  std::vector<x86::Gp> saved_;
  std::int32_t frame_ = 0;
};

}  // namespace nohalt::inline_translate
