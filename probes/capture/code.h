// The assembler with two habits that keep the verifier content: what no path
// reaches is not emitted, and the program's stack is handed out and taken back.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "probes/program/assembler.h"

namespace nohalt::capture {

using program::AluOp;
using program::Helper;
using program::JumpOp;
using program::Outcome;
using program::Register;
using program::Size;
using program::Width;

// Kept through helper calls.
inline constexpr Register kContext = Register::kR6;
inline constexpr Register kBody = Register::kR7;
inline constexpr Register kStack = Register::kR10;

// Of 1, 2, 4 or 8 bytes.
[[nodiscard]] Size size_of(std::uint64_t bytes);

// Somewhere a program may write.
struct Dest {
  Register base = kStack;
  std::int32_t offset = 0;

  [[nodiscard]] Dest plus(std::uint64_t bytes) const {
    return {base, offset + static_cast<std::int32_t>(bytes)};
  }
};

class Code {
 public:
  struct Label {
    std::size_t index = 0;
  };
  [[nodiscard]] Label label();
  void bind(Label label);
  void jump(Label target);
  void jump_if(JumpOp op, Register left, Register right, Label target, Width width = Width::k64);
  // Any constant; one that does not fit goes through r5.
  void jump_if(JumpOp op, Register left, std::uint64_t right, Label target);

  void mov(Register dst, Register src);
  void mov(Register dst, std::uint64_t value);
  void alu(AluOp op, Register dst, Register src, Width width = Width::k64);
  // Any constant; one that does not fit goes through r5.
  void alu(AluOp op, Register dst, std::uint64_t value);
  void alu32(AluOp op, Register dst, std::int32_t value);
  void negate(Register dst);
  void load(Size size, Register dst, Dest from);
  void load_context(Register dst, std::int16_t offset);
  void store(Size size, Dest to, Register src);
  void store(Size size, Dest to, std::int32_t value);
  void call(Helper helper);
  void exit(Outcome outcome);

  // The address of a Dest.
  void point(Register dst, Dest dest);
  // Stores the low `size` bytes of `src`, which is used up.
  void store_low(Dest to, Register src, std::uint64_t size);
  // Copies between the stack and the stack or the body; r0 is used up.
  void copy(Dest to, Dest from, std::uint64_t size);
  void zero(Dest to, std::uint64_t size);

  // Bytes of stack, a multiple of eight; nothing where none are left.
  [[nodiscard]] std::optional<Dest> take_stack(std::uint64_t size);
  [[nodiscard]] std::int32_t stack_mark() const { return used_; }
  void release_stack(std::int32_t mark) { used_ = mark; }

  [[nodiscard]] bool reachable() const { return reachable_; }
  [[nodiscard]] std::size_t size() const { return assembler_.size(); }
  [[nodiscard]] Result<std::vector<program::Instruction>> finish() { return assembler_.finish(); }

 private:
  struct LabelState {
    program::Assembler::Label real;
    bool wanted = false;
  };
  program::Assembler assembler_;
  std::vector<LabelState> labels_;
  bool reachable_ = true;
  std::int32_t used_ = 0;
};

// Takes stack for as long as it lives.
class StackScope {
 public:
  explicit StackScope(Code& code) : code_(code), mark_(code.stack_mark()) {}
  ~StackScope() { code_.release_stack(mark_); }
  StackScope(const StackScope&) = delete;
  StackScope& operator=(const StackScope&) = delete;

 private:
  Code& code_;
  std::int32_t mark_;
};

}  // namespace nohalt::capture
