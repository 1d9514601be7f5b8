// Arithmetic and comparisons against values worked out by hand from RFC 9669.
#include "probes/program/arithmetic.h"

#include <gtest/gtest.h>

namespace nohalt::program {
namespace {

constexpr std::uint64_t kAll = ~std::uint64_t{0};
constexpr std::uint64_t kTop = std::uint64_t{1} << 63;

struct AluCase {
  AluOp op;
  Width width;
  std::uint64_t dst, src, expected;
};

TEST(Arithmetic, ComputesWhatTheSpecificationSays) {
  const AluCase cases[] = {
      {AluOp::kAdd, Width::k64, kAll, 1, 0},
      {AluOp::kAdd, Width::k32, 0xffffffff, 1, 0},
      {AluOp::kAdd, Width::k32, 0x1'0000'0005, 1, 6},  // the high half is cleared
      {AluOp::kSub, Width::k64, 0, 1, kAll},
      {AluOp::kSub, Width::k32, 0, 1, 0xffffffff},
      {AluOp::kMul, Width::k64, kTop, 2, 0},
      {AluOp::kMul, Width::k32, 0x10000, 0x10000, 0},
      {AluOp::kMul, Width::k64, kAll, kAll, 1},
      {AluOp::kDiv, Width::k64, kAll, 2, kAll >> 1},  // unsigned
      {AluOp::kDiv, Width::k64, 7, 0, 0},
      {AluOp::kDiv, Width::k32, 0xffffffff, 2, 0x7fffffff},
      {AluOp::kDiv, Width::k32, 7, 0x1'0000'0000, 0},  // the low half of the divisor is zero
      {AluOp::kMod, Width::k64, 7, 0, 7},
      {AluOp::kMod, Width::k32, 0x1'0000'0007, 0, 7},  // dividend kept, high half cleared
      {AluOp::kMod, Width::k64, kAll, 10, 5},
      {AluOp::kOr, Width::k64, kTop, 1, kTop | 1},
      {AluOp::kOr, Width::k32, kTop, 1, 1},
      {AluOp::kAnd, Width::k64, kAll, kTop, kTop},
      {AluOp::kXor, Width::k64, kAll, kAll, 0},
      {AluOp::kXor, Width::k32, kAll, 0, 0xffffffff},
      {AluOp::kShiftLeft, Width::k64, 1, 63, kTop},
      {AluOp::kShiftLeft, Width::k64, 1, 64, 1},  // counts are masked
      {AluOp::kShiftLeft, Width::k32, 1, 32, 1},
      {AluOp::kShiftLeft, Width::k32, 0xffffffff, 31, 0x80000000},
      {AluOp::kShiftRight, Width::k64, kTop, 63, 1},
      {AluOp::kShiftRight, Width::k32, kAll, 0, 0xffffffff},
      {AluOp::kShiftRight, Width::k32, 0x80000000, 33, 0x40000000},
      {AluOp::kShiftRightSigned, Width::k64, kTop, 63, kAll},
      {AluOp::kShiftRightSigned, Width::k64, kTop - 1, 62, 1},
      {AluOp::kShiftRightSigned, Width::k32, 0x80000000, 31, 0xffffffff},
      {AluOp::kShiftRightSigned, Width::k32, 0x80000000, 32, 0x80000000},
      {AluOp::kNegate, Width::k64, 1, 0, kAll},
      {AluOp::kNegate, Width::k64, kTop, 0, kTop},
      {AluOp::kNegate, Width::k32, 1, 0, 0xffffffff},
      {AluOp::kMove, Width::k64, 3, kAll, kAll},
      {AluOp::kMove, Width::k32, 3, kAll, 0xffffffff},
  };
  for (const AluCase& c : cases)
    EXPECT_EQ(evaluate_alu(c.op, c.width, c.dst, c.src), c.expected)
        << static_cast<int>(c.op) << (c.width == Width::k64 ? " 64 " : " 32 ") << std::hex << c.dst
        << ", " << c.src;
}

struct JumpCase {
  JumpOp op;
  Width width;
  std::uint64_t left, right;
  bool expected;
};

TEST(Arithmetic, ComparesAsTheSpecificationSays) {
  const JumpCase cases[] = {
      {JumpOp::kEqual, Width::k64, 0x1'0000'0000, 0, false},
      {JumpOp::kEqual, Width::k32, 0x1'0000'0000, 0, true},  // only the low halves
      {JumpOp::kNotEqual, Width::k64, 1, 2, true},
      {JumpOp::kNotEqual, Width::k32, 0x1'0000'0001, 1, false},
      {JumpOp::kGreater, Width::k64, kAll, 1, true},
      {JumpOp::kGreater, Width::k64, 1, 1, false},
      {JumpOp::kGreaterEqual, Width::k64, 1, 1, true},
      {JumpOp::kGreaterEqual, Width::k32, 0x1'0000'0000, 1, false},
      {JumpOp::kLess, Width::k64, 1, kAll, true},
      {JumpOp::kLess, Width::k64, 1, 1, false},
      {JumpOp::kLessEqual, Width::k64, 1, 1, true},
      {JumpOp::kLessEqual, Width::k64, 2, 1, false},
      {JumpOp::kAnyBitSet, Width::k64, 6, 2, true},
      {JumpOp::kAnyBitSet, Width::k64, 4, 2, false},
      {JumpOp::kAnyBitSet, Width::k32, kTop, kTop, false},
      {JumpOp::kSignedGreater, Width::k64, 1, kAll, true},
      {JumpOp::kSignedGreater, Width::k32, 1, 0xffffffff, true},
      {JumpOp::kSignedGreater, Width::k64, 1, 0xffffffff, false},
      {JumpOp::kSignedGreaterEqual, Width::k64, kTop, kTop, true},
      {JumpOp::kSignedGreaterEqual, Width::k64, kTop, 0, false},
      {JumpOp::kSignedLess, Width::k64, kAll, 0, true},
      {JumpOp::kSignedLess, Width::k32, 0x80000000, 0, true},
      {JumpOp::kSignedLess, Width::k64, 0x80000000, 0, false},
      {JumpOp::kSignedLessEqual, Width::k64, kAll, kAll, true},
      {JumpOp::kSignedLessEqual, Width::k64, 1, kAll, false},
  };
  for (const JumpCase& c : cases)
    EXPECT_EQ(evaluate_jump(c.op, c.width, c.left, c.right), c.expected)
        << static_cast<int>(c.op) << (c.width == Width::k64 ? " 64 " : " 32 ") << std::hex << c.left
        << ", " << c.right;
}

TEST(Arithmetic, KnowsNoOtherOperation) {
  EXPECT_FALSE(evaluate_alu(static_cast<AluOp>(0xd0), Width::k64, 1, 1));
  EXPECT_FALSE(evaluate_jump(JumpOp::kAlways, Width::k64, 1, 1));
}

}  // namespace
}  // namespace nohalt::program
