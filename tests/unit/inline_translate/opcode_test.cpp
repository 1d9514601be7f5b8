// Every arithmetic and jump instruction, by register and by immediate, in both
// widths, with operands at the edges: the machine computes what the interpreter
// does. Register pairs are chosen so that those with a part of their own in
// x86 (the accumulator, its upper half, the shift count) meet in each role.
#include <gtest/gtest.h>

#include <cstring>

#include "probes/engines/inline/translate/translate.h"
#include "probes/program/arithmetic.h"
#include "probes/program/assembler.h"
#include "tests/differential/program/generator.h"
#include "tests/differential/program/machine.h"

namespace nohalt::program_test {
namespace {

using program::AluOp;
using program::Assembler;
using program::Helper;
using program::JumpOp;
using program::Outcome;
using program::Register;
using program::Size;
using program::Width;

constexpr AluOp kAluOps[] = {AluOp::kAdd, AluOp::kSub, AluOp::kMul,       AluOp::kDiv,
                             AluOp::kOr,  AluOp::kAnd, AluOp::kShiftLeft, AluOp::kShiftRight,
                             AluOp::kMod, AluOp::kXor, AluOp::kMove,      AluOp::kShiftRightSigned};
constexpr JumpOp kJumpOps[] = {
    JumpOp::kEqual,        JumpOp::kNotEqual,       JumpOp::kGreater,
    JumpOp::kGreaterEqual, JumpOp::kLess,           JumpOp::kLessEqual,
    JumpOp::kAnyBitSet,    JumpOp::kSignedGreater,  JumpOp::kSignedGreaterEqual,
    JumpOp::kSignedLess,   JumpOp::kSignedLessEqual};
constexpr std::pair<Register, Register> kPairs[] = {
    {Register::kR0, Register::kR2}, {Register::kR2, Register::kR0}, {Register::kR3, Register::kR7},
    {Register::kR7, Register::kR3}, {Register::kR3, Register::kR3}, {Register::kR0, Register::kR0},
    {Register::kR2, Register::kR2}, {Register::kR7, Register::kR8}, {Register::kR1, Register::kR5},
};

using Body = std::function<void(Assembler&)>;

// Runs `body` with the operands in two registers of the context; it leaves its
// answer, a number, in r8.
class Bench {
 public:
  bool prepare(const Body& body) {
    Assembler as;
    const auto suppressed = as.new_label();
    const auto dropped = as.new_label();
    as.mov(Register::kR6, Register::kR1);
    as.call(Helper::kTakeToken);
    as.jump_if(JumpOp::kEqual, Register::kR0, 0, suppressed);
    as.call(Helper::kReserve);
    as.jump_if(JumpOp::kEqual, Register::kR0, 0, dropped);
    as.mov(Register::kR9, Register::kR0);
    body(as);
    as.store(Size::k8, Register::kR9, 0, Register::kR8);
    as.mov(Register::kR1, Register::kR9);
    as.call(Helper::kCommit);
    as.exit(Outcome::kCommitted);
    as.bind(suppressed);
    as.exit(Outcome::kSuppressed);
    as.bind(dropped);
    as.exit(Outcome::kDropped);
    program::Program program;
    program.record_size = 8;
    program.code = *as.finish();
    const auto translated = inline_translate::translate(program, machine_.surroundings());
    if (!translated) {
      ADD_FAILURE() << translated.error().message;
      return false;
    }
    body_ = *translated;
    return true;
  }
  std::uint64_t run(std::uint64_t left, std::uint64_t right) {
    Model model = fresh_;
    model.context().regs.rax = left;
    model.context().regs.rcx = right;
    EXPECT_EQ(machine_.run(body_, model), 1U);
    std::uint64_t answer = 0;
    if (model.committed().size() == 8) std::memcpy(&answer, model.committed().data(), 8);
    return answer;
  }
  static void load_left(Assembler& as, Register to) {
    as.load(Size::k8, to, Register::kR6, offsetof(runtime::SavedRegisters, rax));
  }
  static void load_right(Assembler& as, Register to) {
    as.load(Size::k8, to, Register::kR6, offsetof(runtime::SavedRegisters, rcx));
  }

 private:
  // A world in which the token is granted and a slot is free.
  static Model granting() {
    for (std::uint64_t seed = 1;; ++seed) {
      Model trial(seed, 8);
      if (trial.take_token() && trial.reserve().data() != nullptr) return Model(seed, 8);
    }
  }
  Machine machine_;
  Model fresh_ = granting();
  inline_translate::TranslatedBody body_;
};

std::int32_t low_word(std::uint64_t value) {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(value));
}

TEST(Opcodes, ArithmeticByRegisterIsThatOfTheInterpreter) {
  Bench bench;
  for (const Width width : {Width::k32, Width::k64})
    for (const AluOp op : kAluOps)
      for (const auto& [dst, src] : kPairs) {
        ASSERT_TRUE(bench.prepare([&, to = dst, from = src](Assembler& as) {
          Bench::load_left(as, to);
          if (from != to) Bench::load_right(as, from);
          as.alu(op, to, from, width);
          if (to != Register::kR8) as.mov(Register::kR8, to);
        }));
        for (const std::uint64_t left : edge_values())
          for (const std::uint64_t right : edge_values())
            ASSERT_EQ(bench.run(left, right),
                      evaluate_alu(op, width, left, dst == src ? left : right))
                << static_cast<int>(op) << " of " << left << ", " << right;
      }
}

TEST(Opcodes, ArithmeticKeepsTheRegistersItDoesNotName) {
  // A division or a shift borrows rax, rdx and rcx; all of r0 to r5 stay.
  Bench bench;
  for (const AluOp op : {AluOp::kDiv, AluOp::kMod, AluOp::kShiftLeft})
    for (const auto& [dst, src] : kPairs) {
      const auto is_operand = [to = dst, from = src](Register reg) {
        return reg == to || reg == from;
      };
      constexpr Register kOthers[] = {Register::kR0, Register::kR1, Register::kR2,
                                      Register::kR3, Register::kR4, Register::kR5};
      ASSERT_TRUE(bench.prepare([&, to = dst, from = src](Assembler& as) {
        Bench::load_left(as, to);
        if (from != to) Bench::load_right(as, from);
        for (const Register other : kOthers)
          if (!is_operand(other)) {
            Bench::load_right(as, other);
            as.alu(AluOp::kXor, other, static_cast<std::int32_t>(other) + 1);
          }
        as.alu(op, to, from);
        const Register sum = Register::kR8;
        if (to == sum || from == sum) as.mov(to == sum ? from : to, 0);
        as.mov(sum, 0);
        for (const Register other : kOthers)
          if (!is_operand(other)) {
            as.alu(AluOp::kMul, sum, 1000003);
            as.alu(AluOp::kAdd, sum, other);
          }
      }));
      std::uint64_t expected = 0;
      for (const Register other : kOthers)
        if (!is_operand(other))
          expected = expected * 1000003 + (77 ^ (static_cast<std::uint64_t>(other) + 1));
      ASSERT_EQ(bench.run(1234567, 77), expected) << static_cast<int>(op);
    }
}

TEST(Opcodes, ArithmeticByImmediateIsThatOfTheInterpreter) {
  Bench bench;
  for (const Width width : {Width::k32, Width::k64})
    for (const AluOp op : kAluOps)
      for (const std::uint64_t edge : edge_values()) {
        const bool shifts =
            op == AluOp::kShiftLeft || op == AluOp::kShiftRight || op == AluOp::kShiftRightSigned;
        std::int32_t imm = low_word(edge);
        if (shifts) imm &= width == Width::k64 ? 63 : 31;
        ASSERT_TRUE(bench.prepare([&](Assembler& as) {
          Bench::load_left(as, Register::kR2);
          as.alu(op, Register::kR2, imm, width);
          as.mov(Register::kR8, Register::kR2);
        }));
        for (const std::uint64_t left : edge_values())
          ASSERT_EQ(bench.run(left, 0), evaluate_alu(op, width, left, program::sign_extended(imm)))
              << static_cast<int>(op) << " of " << left << ", " << imm;
      }
}

TEST(Opcodes, ArithmeticByAKnownWideConstantIsThatOfTheInterpreter) {
  Bench bench;
  for (const Width width : {Width::k32, Width::k64})
    for (const AluOp op : kAluOps)
      for (const std::uint64_t edge : edge_values()) {
        ASSERT_TRUE(bench.prepare([&](Assembler& as) {
          Bench::load_left(as, Register::kR2);
          as.mov(Register::kR3, edge);
          as.alu(op, Register::kR2, Register::kR3, width);
          as.mov(Register::kR8, Register::kR2);
        }));
        for (const std::uint64_t left : edge_values())
          ASSERT_EQ(bench.run(left, 0), evaluate_alu(op, width, left, edge))
              << static_cast<int>(op) << " of " << left << ", " << edge;
      }
}

TEST(Opcodes, NegationIsThatOfTheInterpreter) {
  Bench bench;
  for (const Width width : {Width::k32, Width::k64}) {
    ASSERT_TRUE(bench.prepare([&](Assembler& as) {
      Bench::load_left(as, Register::kR8);
      as.negate(Register::kR8, width);
    }));
    for (const std::uint64_t left : edge_values())
      EXPECT_EQ(bench.run(left, 0), evaluate_alu(AluOp::kNegate, width, left, 0));
  }
}

TEST(Opcodes, JumpsByRegisterAreTakenWhereTheInterpreterTakesThem) {
  Bench bench;
  for (const Width width : {Width::k32, Width::k64})
    for (const JumpOp op : kJumpOps)
      for (const auto& [left_register, right_register] : kPairs) {
        ASSERT_TRUE(bench.prepare([&, a = left_register, b = right_register](Assembler& as) {
          const auto taken = as.new_label();
          Bench::load_left(as, a);
          if (a != b) Bench::load_right(as, b);
          as.mov(Register::kR4, 1);
          as.jump_if(op, a, b, taken, width);
          as.mov(Register::kR4, 0);
          as.bind(taken);
          as.mov(Register::kR8, Register::kR4);
        }));
        for (const std::uint64_t left : edge_values())
          for (const std::uint64_t right : edge_values()) {
            const bool same = left_register == right_register;
            ASSERT_EQ(bench.run(left, right) != 0,
                      evaluate_jump(op, width, left, same ? left : right))
                << static_cast<int>(op) << " of " << left << ", " << right;
          }
      }
}

TEST(Opcodes, JumpsByConstantAreTakenWhereTheInterpreterTakesThem) {
  Bench bench;
  for (const Width width : {Width::k32, Width::k64})
    for (const JumpOp op : kJumpOps)
      for (const std::uint64_t edge : edge_values())
        for (const bool is_immediate : {true, false}) {
          ASSERT_TRUE(bench.prepare([&](Assembler& as) {
            const auto taken = as.new_label();
            Bench::load_left(as, Register::kR2);
            as.mov(Register::kR3, edge);
            as.mov(Register::kR4, 1);
            if (is_immediate)
              as.jump_if(op, Register::kR2, low_word(edge), taken, width);
            else
              as.jump_if(op, Register::kR2, Register::kR3, taken, width);
            as.mov(Register::kR4, 0);
            as.bind(taken);
            as.mov(Register::kR8, Register::kR4);
          }));
          const std::uint64_t right = is_immediate ? program::sign_extended(low_word(edge)) : edge;
          for (const std::uint64_t left : edge_values())
            ASSERT_EQ(bench.run(left, 0) != 0, evaluate_jump(op, width, left, right))
                << static_cast<int>(op) << " of " << left << ", " << right;
        }
}

}  // namespace
}  // namespace nohalt::program_test
