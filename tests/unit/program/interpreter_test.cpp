// The interpreter runs programs, and finds each violation as it happens.
#include "probes/program/interpreter.h"

#include <gtest/gtest.h>

#include <cstring>

#include "tests/unit/program/programs.h"

namespace nohalt::program {
namespace {

constexpr Register r0 = Register::kR0, r1 = Register::kR1, r2 = Register::kR2, r3 = Register::kR3,
                   r4 = Register::kR4, r6 = Register::kR6, r9 = Register::kR9, r10 = Register::kR10;

std::uint64_t word(const std::vector<std::byte>& bytes, std::size_t at, std::size_t size = 8) {
  std::uint64_t value = 0;
  std::memcpy(&value, bytes.data() + at, size);
  return value;
}

TEST(Interpreter, StoresTheLowBytesOfEachSize) {
  FakeEnvironment environment;
  const Execution execution = interpret(with_record([](Assembler& as) {
                                          as.mov(r2, std::uint64_t{0x1122334455667788});
                                          as.store(Size::k8, r9, 0, r2);
                                          as.store(Size::k4, r9, 8, r2);
                                          as.store(Size::k2, r9, 16, r2);
                                          as.store(Size::k1, r9, 24, r2);
                                          as.store(Size::k8, r9, 32, -2);
                                        }),
                                        environment);
  ASSERT_FALSE(execution.violation);
  EXPECT_EQ(execution.result, 1U);
  EXPECT_EQ(environment.commits, 1);
  EXPECT_EQ(word(environment.body, 0), 0x1122334455667788U);
  EXPECT_EQ(word(environment.body, 8), 0xeeeeeeee55667788U);
  EXPECT_EQ(word(environment.body, 16), 0xeeeeeeeeeeee7788U);
  EXPECT_EQ(word(environment.body, 24), 0xeeeeeeeeeeeeee88U);
  EXPECT_EQ(word(environment.body, 32), 0xfffffffffffffffeU);
}

TEST(Interpreter, LoadsEachSizeZeroExtended) {
  FakeEnvironment environment;
  const Execution execution = interpret(with_record([](Assembler& as) {
                                          as.store(Size::k8, r10, -8, -1);
                                          as.load(Size::k1, r2, r10, -8);
                                          as.load(Size::k2, r3, r10, -8);
                                          as.load(Size::k4, r4, r10, -8);
                                          as.store(Size::k8, r9, 0, r2);
                                          as.store(Size::k8, r9, 8, r3);
                                          as.store(Size::k8, r9, 16, r4);
                                        }),
                                        environment);
  ASSERT_FALSE(execution.violation);
  EXPECT_EQ(word(environment.body, 0), 0xffU);
  EXPECT_EQ(word(environment.body, 8), 0xffffU);
  EXPECT_EQ(word(environment.body, 16), 0xffffffffU);
}

TEST(Interpreter, LeavesZerosWhereAReadFailed) {
  FakeEnvironment environment;
  environment.read_result = -14;
  const Execution execution = interpret(with_record([](Assembler& as) {
                                          as.mov(r1, r9);
                                          as.mov(r2, 8);
                                          as.mov(r3, 0);
                                          as.call(Helper::kReadUser);
                                          as.store(Size::k8, r9, 8, r0);
                                        }),
                                        environment);
  ASSERT_FALSE(execution.violation);
  EXPECT_EQ(word(environment.body, 0), 0U);
  EXPECT_EQ(static_cast<std::int64_t>(word(environment.body, 8)), -14);
}

TEST(Interpreter, LeavesZerosBehindAShortString) {
  FakeEnvironment environment;
  environment.read_result = 3;
  const Execution execution = interpret(with_record([](Assembler& as) {
                                          as.mov(r1, r9);
                                          as.mov(r2, 8);
                                          as.mov(r3, 0);
                                          as.call(Helper::kReadString);
                                        }),
                                        environment);
  ASSERT_FALSE(execution.violation);
  EXPECT_EQ(word(environment.body, 0), 0x5a5a5aU);
}

TEST(Interpreter, EndsWithWhatTheGatesSay) {
  const Program program = with_record([](Assembler&) {});
  FakeEnvironment no_token;
  no_token.token = false;
  EXPECT_EQ(interpret(program, no_token).result, static_cast<std::uint64_t>(Outcome::kSuppressed));
  FakeEnvironment no_slot;
  no_slot.slot = false;
  EXPECT_EQ(interpret(program, no_slot).result, static_cast<std::uint64_t>(Outcome::kDropped));
  EXPECT_EQ(no_slot.commits, 0);
}

void expect_violation(const Program& program, Rule rule, FakeEnvironment environment = {}) {
  const Execution execution = interpret(program, environment);
  ASSERT_TRUE(execution.violation) << name(rule);
  EXPECT_EQ(name(execution.violation->rule), name(rule));
}

TEST(Interpreter, FindsAccessOutsideTheRegionsWithoutTheVerifier) {
  expect_violation(with_record([](Assembler& as) { as.store(Size::k8, r9, 57, 1); }),
                   Rule::kRecordOutOfBounds);
  expect_violation(with_record([](Assembler& as) { as.store(Size::k1, r9, -1, 1); }),
                   Rule::kRecordOutOfBounds);
  expect_violation(assemble([](Assembler& as) { as.store(Size::k8, r10, -7, 1); }),
                   Rule::kStackOutOfBounds);
  expect_violation(assemble([](Assembler& as) { as.store(Size::k8, r10, -257, 1); }),
                   Rule::kStackOutOfBounds);
  expect_violation(assemble([](Assembler& as) { as.load(Size::k8, r0, r1, 168); }),
                   Rule::kContextOutOfBounds);
  expect_violation(assemble([](Assembler& as) { as.load(Size::k8, r0, r1, -8); }),
                   Rule::kContextOutOfBounds);
  expect_violation(assemble([](Assembler& as) {
                     as.load(Size::k8, r0, r1, offsetof(runtime::SavedRegisters, eflags));
                   }),
                   Rule::kContextOutOfBounds);
  expect_violation(assemble([](Assembler& as) { as.store(Size::k8, r1, 0, 1); }),
                   Rule::kContextWritten);
}

TEST(Interpreter, FindsAccessThroughAPointerMovedByAValue) {
  FakeEnvironment environment;
  environment.hit.regs.r15 = 64;
  expect_violation(with_record([](Assembler& as) {
                     as.load(Size::k8, r2, r6, 0);
                     as.alu(AluOp::kAdd, r9, r2);
                     as.store(Size::k1, r9, 0, 1);
                   }),
                   Rule::kRecordOutOfBounds, environment);
}

TEST(Interpreter, FindsAWriteOfAHelperBeyondItsDestination) {
  expect_violation(with_record([](Assembler& as) {
                     as.mov(r1, r9);
                     as.mov(r2, 65);
                     as.mov(r3, 0);
                     as.call(Helper::kReadUser);
                   }),
                   Rule::kRecordOutOfBounds);
}

TEST(Interpreter, FindsUseOfTheRecordAfterItsRelease) {
  expect_violation(with_record([](Assembler& as) {
                     as.mov(r1, r9);
                     as.call(Helper::kCommit);
                     as.store(Size::k1, r9, 0, 1);
                   }),
                   Rule::kRegisterUninitialised);
}

TEST(Interpreter, AsksForTheTokenOfACallWithItsFrame) {
  FakeEnvironment environment;
  environment.token = false;
  const Program program = assemble([](Assembler& as) {
    as.mov(r1, 0x7000);
    as.call(Helper::kCloseCall);
    as.exit();
  });
  const Execution execution = interpret(program, environment);
  EXPECT_FALSE(execution.violation);
  EXPECT_EQ(execution.result, 0U);
  ASSERT_EQ(environment.call_tokens.size(), 1U);
  EXPECT_EQ(environment.call_tokens[0], std::pair(Helper::kCloseCall, std::uint64_t{0x7000}));
}

TEST(Interpreter, FindsANullRecordStoredTo) {
  FakeEnvironment environment;
  environment.slot = false;
  expect_violation(assemble([](Assembler& as) {
                     as.call(Helper::kTakeToken);
                     as.call(Helper::kReserve);
                     as.store(Size::k1, r0, 0, 1);
                   }),
                   Rule::kNotAPointer, environment);
}

TEST(Interpreter, FindsWhatWasNeverWritten) {
  expect_violation(assemble([](Assembler& as) { as.alu(AluOp::kAdd, r2, 1); }),
                   Rule::kRegisterUninitialised);
  expect_violation(assemble([](Assembler& as) { as.load(Size::k8, r2, r10, -8); }),
                   Rule::kStackUninitialised);
}

TEST(Interpreter, FindsPointersThatWouldLeave) {
  expect_violation(with_record([](Assembler& as) { as.store(Size::k8, r9, 0, r10); }),
                   Rule::kPointerStored);
  expect_violation(assemble([](Assembler& as) {
                     as.mov(r0, r1);
                     as.exit();
                   }),
                   Rule::kPointerAsNumber);
}

TEST(Interpreter, StopsAtTheEndOfTheCode) {
  expect_violation(assemble([](Assembler& as) { as.mov(r0, 0); }), Rule::kFallsOffTheEnd);
  Program backward;
  backward.code.push_back({.opcode = kOpcodeJumpAlways, .offset = -1});
  expect_violation(backward, Rule::kJumpBackward);
}

}  // namespace
}  // namespace nohalt::program
