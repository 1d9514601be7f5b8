// The assembler writes the slots that RFC 9669 describes.
#include "probes/program/assembler.h"

#include <gtest/gtest.h>

#include <cstring>

namespace nohalt::program {
namespace {

std::uint64_t raw(const Instruction& i) {
  std::uint64_t bits = 0;
  std::memcpy(&bits, &i, sizeof bits);
  return bits;
}

TEST(Assembler, EncodesAsTheSpecificationLaysOut) {
  Assembler as;
  as.mov(Register::kR3, Register::kR7);                  // bf
  as.alu(AluOp::kAdd, Register::kR2, -2, Width::k32);    // 04
  as.load(Size::k2, Register::kR1, Register::kR10, -6);  // 69
  as.store(Size::k8, Register::kR9, 16, Register::kR4);  // 7b
  as.store(Size::k1, Register::kR9, 1, 5);               // 72
  as.call(Helper::kReadUser);                            // 85
  const auto code = as.finish();
  ASSERT_TRUE(code);
  EXPECT_EQ(raw((*code)[0]), 0x00000000'0000'73'bfU);
  EXPECT_EQ(raw((*code)[1]), 0xfffffffe'0000'02'04U);
  EXPECT_EQ(raw((*code)[2]), 0x00000000'fffa'a1'69U);
  EXPECT_EQ(raw((*code)[3]), 0x00000000'0010'49'7bU);
  EXPECT_EQ(raw((*code)[4]), 0x00000005'0001'09'72U);
  EXPECT_EQ(raw((*code)[5]), 0x00000007'0000'00'85U);
}

TEST(Assembler, TakesTwoSlotsOnlyForConstantsThatNeedThem) {
  Assembler as;
  as.mov(Register::kR1, std::uint64_t{0xffffffff80000000});
  EXPECT_EQ(as.size(), 1U);
  as.mov(Register::kR1, std::uint64_t{0x80000000});
  EXPECT_EQ(as.size(), 3U);
  const auto code = as.finish();
  ASSERT_TRUE(code);
  EXPECT_EQ((*code)[1].opcode, 0x18);
  EXPECT_EQ(wide_immediate((*code)[1], (*code)[2]), 0x80000000U);
}

TEST(Assembler, ResolvesJumpsForward) {
  Assembler as;
  const Assembler::Label end = as.new_label();
  as.jump_if(JumpOp::kEqual, Register::kR1, 0, end);
  as.mov(Register::kR1, std::uint64_t{0x1234567890});
  as.bind(end);
  as.exit();
  const auto code = as.finish();
  ASSERT_TRUE(code);
  EXPECT_EQ((*code)[0].offset, 2);
}

TEST(Assembler, RefusesABackwardJump) {
  Assembler as;
  const Assembler::Label start = as.new_label();
  as.bind(start);
  as.mov(Register::kR0, 0);
  as.jump(start);
  const auto code = as.finish();
  ASSERT_FALSE(code);
  EXPECT_EQ(code.error().reason, "backward-jump");
}

TEST(Assembler, RefusesALabelThatWasNeverBound) {
  Assembler as;
  as.jump(as.new_label());
  const auto code = as.finish();
  ASSERT_FALSE(code);
  EXPECT_EQ(code.error().reason, "label-unbound");
}

TEST(Assembler, RefusesAProgramThatIsTooLong) {
  Assembler as;
  for (std::size_t at = 0; at <= kMaxInstructions; ++at) as.mov(Register::kR0, 0);
  const auto code = as.finish();
  ASSERT_FALSE(code);
  EXPECT_EQ(code.error().reason, "program-too-long");
}

}  // namespace
}  // namespace nohalt::program
