// What bodies are made of, beyond computing right.
#include "probes/engines/inline/translate/translate.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "probes/engines/inline/translate/machine_code.h"
#include "probes/program/assembler.h"
#include "tests/differential/program/machine.h"

namespace nohalt::inline_translate {
namespace {

using program::Assembler;
using program::Helper;
using program::JumpOp;
using program::Outcome;
using program::Register;
using program::Size;

// Captures three registers of the target.
program::Program three_scalars() {
  Assembler as;
  const auto suppressed = as.new_label();
  const auto dropped = as.new_label();
  as.mov(Register::kR6, Register::kR1);
  as.call(Helper::kTakeToken);
  as.jump_if(JumpOp::kEqual, Register::kR0, 0, suppressed);
  as.call(Helper::kReserve);
  as.jump_if(JumpOp::kEqual, Register::kR0, 0, dropped);
  as.mov(Register::kR7, Register::kR0);
  for (std::int16_t at = 0; at < 3; ++at) {
    as.load(Size::k8, Register::kR1, Register::kR6, static_cast<std::int16_t>(8 * at));
    as.store(Size::k8, Register::kR7, static_cast<std::int16_t>(8 * at), Register::kR1);
  }
  as.mov(Register::kR1, Register::kR7);
  as.call(Helper::kCommit);
  as.exit(Outcome::kCommitted);
  as.bind(suppressed);
  as.exit(Outcome::kSuppressed);
  as.bind(dropped);
  as.exit(Outcome::kDropped);
  program::Program program;
  program.code = *as.finish();
  program.record_size = 24;
  return program;
}

Surroundings near_surroundings() {
  Surroundings surroundings;
  surroundings.load_address = {0x7f0000100000};
  for (std::size_t at = 0; at < surroundings.entries.size(); ++at)
    surroundings.entries[at] = {0x7f0000000000 + 64 * at};
  return surroundings;
}

std::size_t count(const std::vector<MachineInstruction>& code, Operation operation) {
  return static_cast<std::size_t>(
      std::ranges::count(code, operation, &MachineInstruction::operation));
}

TEST(Translate, CapturesARegisterWithOneLoadAndOneStore) {
  const Surroundings surroundings = near_surroundings();
  const auto body = translate(three_scalars(), surroundings);
  ASSERT_TRUE(body) << body.error().message;
  const auto code = decode(body->code, surroundings.load_address);
  ASSERT_TRUE(code);
  const auto is_load = [](const MachineInstruction& i) { return i.operands[1].is_memory(); };
  const auto is_store = [](const MachineInstruction& i) { return i.operands[0].is_memory(); };
  EXPECT_EQ(std::ranges::count_if(*code, is_load), 3);
  EXPECT_EQ(std::ranges::count_if(*code, is_store), 3);
  // The path of a capture, from first to ret: no instruction beyond these.
  const auto first_return =
      std::ranges::find(*code, Operation::kReturn, &MachineInstruction::operation);
  EXPECT_LE(first_return - code->begin(), 26);
}

TEST(Translate, CallsEntriesInReachByTheirDistance) {
  const Surroundings surroundings = near_surroundings();
  const auto body = translate(three_scalars(), surroundings);
  ASSERT_TRUE(body);
  const auto code = decode(body->code, surroundings.load_address);
  ASSERT_TRUE(code);
  EXPECT_EQ(count(*code, Operation::kCall), 1U);
  for (const MachineInstruction& i : *code)
    if (i.operation == Operation::kCall) {
      EXPECT_TRUE(i.operands[0].is_immediate());
    }
}

TEST(Translate, LeavesTheAdmissionToTheCallerWhereItComesFirst) {
  const auto body = translate(three_scalars(), near_surroundings());
  ASSERT_TRUE(body);
  EXPECT_TRUE(body->is_admitted);
  EXPECT_FALSE(body->calls_runtime);
}

// What a program may do between its start and the admission, or for want of it.
enum class Twist { kNone, kConditionFirst, kOtherOutcome, kApart };

program::Program twisted(Twist twist) {
  Assembler as;
  const auto suppressed = as.new_label();
  const auto dropped = as.new_label();
  if (twist == Twist::kConditionFirst) {
    as.load(Size::k8, Register::kR2, Register::kR1, 0);
    as.jump_if(JumpOp::kEqual, Register::kR2, 0, suppressed);
  }
  as.call(Helper::kTakeToken);
  as.jump_if(JumpOp::kEqual, Register::kR0, 0, suppressed);
  if (twist == Twist::kApart) as.mov(Register::kR6, Register::kR0);
  as.call(Helper::kReserve);
  as.jump_if(JumpOp::kEqual, Register::kR0, 0, dropped);
  as.mov(Register::kR1, Register::kR0);
  as.store(Size::k8, Register::kR1, 0, 7);
  as.call(Helper::kCommit);
  as.exit(Outcome::kCommitted);
  as.bind(suppressed);
  as.exit(twist == Twist::kOtherOutcome ? Outcome::kNoMatch : Outcome::kSuppressed);
  as.bind(dropped);
  as.exit(Outcome::kDropped);
  return {.code = as.finish().value(), .record_size = 8};
}

TEST(Translate, AsksForTheAdmissionItselfWhereItDoesNotComeFirst) {
  EXPECT_TRUE(translate(twisted(Twist::kNone), near_surroundings())->is_admitted);
  for (const Twist twist : {Twist::kConditionFirst, Twist::kOtherOutcome, Twist::kApart})
    EXPECT_FALSE(translate(twisted(twist), near_surroundings())->is_admitted);
}

TEST(Translate, AsksForTokenAndRecordInOneCallWhereNothingIsBetween) {
  const Surroundings surroundings = near_surroundings();
  const auto calls = [&](Twist twist) {
    const auto body = translate(twisted(twist), surroundings);
    return count(*decode(body->code, surroundings.load_address), Operation::kCall);
  };
  EXPECT_EQ(calls(Twist::kConditionFirst), 2U);  // admit, commit
  EXPECT_EQ(calls(Twist::kApart), 3U);
}

TEST(Translate, CallsEntriesOutOfReachThroughARegister) {
  Surroundings surroundings = near_surroundings();
  surroundings.load_address = {0x550000000000};
  const auto body = translate(three_scalars(), surroundings);
  ASSERT_TRUE(body) << body.error().message;
  const auto code = decode(body->code, surroundings.load_address);
  ASSERT_TRUE(code);
  for (const MachineInstruction& i : *code)
    if (i.operation == Operation::kCall) {
      EXPECT_TRUE(i.operands[0].is_register());
    }
}

TEST(Translate, RunsEntriesOutOfReach) {
  program_test::Machine machine;
  Surroundings surroundings = machine.surroundings();
  const RuntimeAddress real = surroundings.load_address;
  surroundings.load_address = {real.value ^ (std::uint64_t{1} << 40)};
  // Written for an address far away; without relative calls it runs anywhere.
  const auto body = translate(three_scalars(), surroundings);
  ASSERT_TRUE(body) << body.error().message;
  for (std::uint64_t seed = 1; seed < 20; ++seed) {
    program_test::Model model(seed, 24);
    const std::uint64_t outcome = machine.run(*body, model);
    EXPECT_EQ(outcome == 1, !model.committed().empty());
    EXPECT_LE(outcome, 3U);
  }
}

TEST(Translate, TakesNoMoreStackThanItSays) {
  const auto body = translate(three_scalars(), near_surroundings());
  ASSERT_TRUE(body);
  EXPECT_LE(body->stack_bytes, 24U);
}

TEST(Translate, RefusesWhatTheVerifierRefuses) {
  program::Program program = three_scalars();
  program.record_size = 16;
  const auto body = translate(program, near_surroundings());
  ASSERT_FALSE(body);
  EXPECT_EQ(body.error().reason, "record-out-of-bounds");
}

TEST(Translate, TranslatesTheLongestProgram) {
  Assembler as;
  as.mov(Register::kR6, Register::kR1);
  while (as.size() < program::kMaxInstructions - 4) {
    as.load(Size::k8, Register::kR2, Register::kR6, 0);
    as.store(Size::k8, Register::kR10, -8, Register::kR2);
  }
  as.exit(Outcome::kNoMatch);
  program::Program program;
  program.code = *as.finish();
  const auto body = translate(program, near_surroundings());
  EXPECT_TRUE(body) << body.error().message;
}

}  // namespace
}  // namespace nohalt::inline_translate
