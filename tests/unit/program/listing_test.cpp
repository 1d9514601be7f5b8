// Listings read as people write.
#include "probes/program/listing.h"

#include <gtest/gtest.h>

#include "tests/unit/program/programs.h"

namespace nohalt::program {
namespace {

TEST(Listing, ShowsEachInstructionWithItsIndexAndJumpTargets) {
  const Program program = assemble([](Assembler& as) {
    const Assembler::Label end = as.new_label();
    as.load(Size::k8, Register::kR2, Register::kR1, 80);
    as.mov(Register::kR3, std::uint64_t{0x1122334455667788});
    as.alu(AluOp::kShiftRightSigned, Register::kR2, Register::kR3, Width::k32);
    as.negate(Register::kR2);
    as.store(Size::k1, Register::kR10, -3, -7);
    as.jump_if(JumpOp::kSignedLess, Register::kR2, -1, end, Width::k32);
    as.call(Helper::kTakeToken);
    as.jump(end);
    as.bind(end);
    as.exit(Outcome::kNoMatch);
  });
  EXPECT_EQ(list(program),
            "   0: r2 = u64[r1 + 80]\n"
            "   1: r3 = 0x1122334455667788\n"
            "   3: w2 s>>= w3\n"
            "   4: r2 = -r2\n"
            "   5: u8[r10 - 3] = -7\n"
            "   6: if w2 s< -1 goto 9\n"
            "   7: call take_token\n"
            "   8: goto 9\n"
            "   9: r0 = 0\n"
            "  10: exit\n");
}

TEST(Listing, ShowsAnUnknownInstructionAsItsFields) {
  Program program;
  program.code.push_back({.opcode = 0xdb, .dst = 1, .src = 2, .offset = 3, .imm = 4});
  EXPECT_EQ(list(program), "   0: ?opcode db dst 1 src 2 offset 3 imm 4\n");
}

}  // namespace
}  // namespace nohalt::program
