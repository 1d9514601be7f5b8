// What the verifier lets pass, up to the last byte, and what it finds out.
#include <gtest/gtest.h>

#include "probes/program/listing.h"
#include "probes/program/verifier.h"
#include "tests/unit/program/programs.h"

namespace nohalt::program {
namespace {

constexpr Register r0 = Register::kR0, r1 = Register::kR1, r2 = Register::kR2, r3 = Register::kR3,
                   r4 = Register::kR4, r6 = Register::kR6, r7 = Register::kR7, r9 = Register::kR9,
                   r10 = Register::kR10;

void expect_accepted(const Program& program) {
  const auto verified = verify(program);
  EXPECT_TRUE(verified) << name(verified.error().rule) << " at " << verified.error().instruction
                        << "\n"
                        << list(program);
}

TEST(Verifier, AcceptsAnEmptyCapture) {
  expect_accepted(with_record([](Assembler&) {}));
}

TEST(Verifier, AcceptsTheLastBytesOfEachRegion) {
  Program program = with_record(
      [](Assembler& as) {
        as.load(Size::k8, r2, r6, 152);
        as.load(Size::k8, r3, r6, 504);
        as.store(Size::k8, r10, -256, r2);
        as.store(Size::k1, r10, -1, 1);
        as.load(Size::k8, r4, r10, -256);
        as.store(Size::k8, r9, 0, r4);
        as.store(Size::k4, r9, 60, r3);
        as.mov(r1, r9);
        as.mov(r2, 64);
        as.mov(r3, 0);
        as.call(Helper::kReadUser);
      },
      64);
  program.needs_xmm = true;
  expect_accepted(program);
}

TEST(Verifier, AcceptsPointersMovedByKnownConstantsBackIntoBounds) {
  expect_accepted(with_record([](Assembler& as) {
    as.mov(r2, r9);
    as.alu(AluOp::kAdd, r2, 1000);
    as.mov(r3, 990);
    as.alu(AluOp::kSub, r2, r3);
    as.store(Size::k8, r2, 46, 1);
  }));
}

TEST(Verifier, AcceptsPathsThatJoinWithTheSamePointer) {
  expect_accepted(with_record([](Assembler& as) {
    const auto over = as.new_label();
    as.load(Size::k8, r2, r6, 0);
    as.mov(r7, r9);
    as.jump_if(JumpOp::kEqual, r2, 0, over);
    as.mov(r7, r9);
    as.bind(over);
    as.store(Size::k8, r7, 0, r2);
  }));
}

TEST(Verifier, AcceptsStackBytesThatEveryPathHasWritten) {
  expect_accepted(assemble([](Assembler& as) {
    const auto other = as.new_label();
    const auto end = as.new_label();
    as.load(Size::k8, r2, r1, 0);
    as.jump_if(JumpOp::kEqual, r2, 0, other);
    as.store(Size::k8, r10, -8, r2);
    as.jump(end);
    as.bind(other);
    as.store(Size::k4, r10, -8, 1);
    as.store(Size::k4, r10, -4, 1);
    as.bind(end);
    as.load(Size::k8, r3, r10, -8);
    as.exit(Outcome::kNoMatch);
  }));
}

TEST(Verifier, AcceptsWhatEveryReadHelperWrote) {
  for (const Helper helper : {Helper::kReadFrame, Helper::kReadStatic, Helper::kReadUser,
                              Helper::kReadBytes, Helper::kReadString, Helper::kReadStack})
    expect_accepted(assemble([&](Assembler& as) {
      as.mov(r1, r10);
      as.alu(AluOp::kAdd, r1, -16);
      as.mov(r2, 16);
      as.mov(r3, 0x1000);
      as.mov(r4, 99);
      as.call(helper);
      as.load(Size::k8, r2, r10, -16);
      as.exit(Outcome::kNoMatch);
    }));
}

TEST(Verifier, AcceptsWhatTreeNextWroteAndCountsItsReads) {
  const auto program = assemble([](Assembler& as) {
    as.mov(r1, r10);
    as.alu(AluOp::kAdd, r1, -8);
    as.mov(r2, 8);
    as.mov(r3, 0x1000);
    as.mov(r4, static_cast<std::int32_t>(tree_links(16, 24, 8)));
    as.call(Helper::kTreeNext);
    as.load(Size::k8, r2, r10, -8);
    as.exit(Outcome::kNoMatch);
  });
  expect_accepted(program);
  const auto verified = verify(program);
  ASSERT_TRUE(verified);
  EXPECT_EQ(verified->cost.user_reads, runtime::kTreeSteps);
  EXPECT_EQ(verified->cost.bytes_read, runtime::kTreeSteps * runtime::kTreeNodeBytes);
}

TEST(Verifier, AcceptsTheThreadPointerAsANumber) {
  expect_accepted(assemble([](Assembler& as) {
    as.call(Helper::kThreadPointer);
    as.alu(AluOp::kSub, r0, 64);
    as.mov(r3, r0);
    as.mov(r1, r10);
    as.alu(AluOp::kAdd, r1, -8);
    as.mov(r2, 8);
    as.call(Helper::kReadUser);
    as.load(Size::k8, r2, r10, -8);
    as.exit(Outcome::kNoMatch);
  }));
}

TEST(Verifier, AcceptsWhatNextFullFoundAndCountsItsReads) {
  const auto program = assemble([](Assembler& as) {
    as.mov(r1, r10);
    as.alu(AluOp::kAdd, r1, -64);
    as.mov(r2, 64);
    as.mov(r3, 0x1000);
    as.mov(r4, 32);
    as.call(Helper::kNextFull);
    as.mov(r2, r0);
    as.load(Size::k8, r2, r10, -8);
    as.exit(Outcome::kNoMatch);
  });
  expect_accepted(program);
  const auto verified = verify(program);
  ASSERT_TRUE(verified);
  EXPECT_EQ(verified->cost.user_reads, runtime::kTableSteps);
  EXPECT_EQ(verified->cost.bytes_read, runtime::kTableSteps * 64);
}

TEST(Verifier, AcceptsATokenThatWasMovedBeforeItIsLookedAt) {
  expect_accepted(assemble([](Assembler& as) {
    const auto denied = as.new_label();
    as.call(Helper::kTakeToken);
    as.mov(r7, r0);
    as.jump_if(JumpOp::kEqual, r7, 0, denied, Width::k32);
    as.call(Helper::kReserve);
    as.jump_if(JumpOp::kEqual, r0, 0, denied);
    as.mov(r1, r0);
    as.call(Helper::kAbandon);
    as.bind(denied);
    as.exit(Outcome::kSuppressed);
  }));
}

TEST(Verifier, AcceptsTheTokenOfACall) {
  for (const Helper helper : {Helper::kOpenCall, Helper::kCloseCall}) {
    expect_accepted(assemble([helper](Assembler& as) {
      const auto denied = as.new_label();
      as.load(Size::k8, r1, r1, 0);
      as.call(helper);
      as.jump_if(JumpOp::kEqual, r0, 0, denied);
      as.call(Helper::kReserve);
      as.jump_if(JumpOp::kEqual, r0, 0, denied);
      as.mov(r1, r0);
      as.call(Helper::kAbandon);
      as.bind(denied);
      as.exit(Outcome::kNoMatch);
    }));
  }
}

TEST(Verifier, AcceptsAResultThatIsAnOutcomeOnEachPath) {
  expect_accepted(assemble([](Assembler& as) {
    const auto end = as.new_label();
    as.load(Size::k8, r2, r1, 0);
    as.mov(r0, 0);
    as.jump_if(JumpOp::kEqual, r2, 0, end);
    as.mov(r0, 4);
    as.bind(end);
    as.exit();
  }));
}

TEST(Verifier, CountsTheWorstPath) {
  const Program program = assemble([](Assembler& as) {
    const auto end = as.new_label();
    as.load(Size::k8, r2, r1, 0);
    as.jump_if(JumpOp::kEqual, r2, 0, end);
    as.mov(r1, r10);
    as.alu(AluOp::kAdd, r1, -8);
    as.mov(r2, 8);
    as.mov(r3, 0x1000);
    as.call(Helper::kReadUser);
    as.store(Size::k2, r10, -20, 1);
    as.bind(end);
    as.exit(Outcome::kNoMatch);
  });
  const auto verified = verify(program);
  ASSERT_TRUE(verified);
  EXPECT_EQ(verified->cost, (Cost{.instructions = 10,
                                  .bytes_read = 8,
                                  .bytes_written = 10,
                                  .user_reads = 1,
                                  .frame_reads = 0}));
  EXPECT_EQ(verified->stack_bytes, 20U);
}

TEST(Verifier, KnowsConstantsThroughArithmetic) {
  const Program program = assemble([](Assembler& as) {
    as.mov(r2, std::uint64_t{0x1'0000'0000});
    as.alu(AluOp::kMul, r2, 3);
    as.alu(AluOp::kShiftRight, r2, 32);
    as.exit(Outcome::kNoMatch);
  });
  const auto verified = verify(program);
  ASSERT_TRUE(verified);
  EXPECT_EQ(verified->before.back().registers[2].constant(), 3U);
}

}  // namespace
}  // namespace nohalt::program
