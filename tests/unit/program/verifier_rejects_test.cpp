// For each rule the smallest program that breaks it, and where.
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "probes/program/listing.h"
#include "probes/program/verifier.h"
#include "tests/unit/program/programs.h"

namespace nohalt::program {
namespace {

constexpr Register r0 = Register::kR0, r1 = Register::kR1, r2 = Register::kR2, r3 = Register::kR3,
                   r4 = Register::kR4, r9 = Register::kR9, r10 = Register::kR10;

struct Rejected {
  std::string what;
  Violation expected;
  Program program;
};

Program raw(std::vector<Instruction> code) {
  Program program;
  program.code = std::move(code);
  program.record_size = 64;
  return program;
}

constexpr Instruction kExit{.opcode = kOpcodeExit};
constexpr Instruction kZero{.opcode = 0xb7};  // r0 = 0

void add_shapes(std::vector<Rejected>& cases) {
  cases.push_back({"no code", {Rule::kProgramEmpty, 0}, raw({})});
  cases.push_back({"one slot too many",
                   {Rule::kProgramTooLong, kMaxInstructions},
                   raw(std::vector<Instruction>(kMaxInstructions + 1, kZero))});
  Program large = raw({kZero, kExit});
  large.record_size = runtime::kMaxRecordBody + 1;
  cases.push_back({"record beyond a slot", {Rule::kRecordTooLarge, 0}, large});
  const auto at_0 = [&](std::string what, Rule rule, Instruction i) {
    cases.push_back({std::move(what), {rule, 0}, raw({i, kZero, kExit})});
  };
  at_0("byte swap", Rule::kUnknownInstruction, {.opcode = 0xdc, .imm = 16});
  at_0("atomic add", Rule::kUnknownInstruction, {.opcode = 0xdb, .dst = 10, .src = 1});
  at_0("sign-extending load", Rule::kUnknownInstruction, {.opcode = 0x81, .dst = 2, .src = 1});
  at_0("map load", Rule::kUnusedFieldSet, {.opcode = 0x18, .src = 1});
  at_0("long jump", Rule::kUnknownInstruction, {.opcode = 0x06, .imm = 1});
  at_0("legacy packet load", Rule::kUnknownInstruction, {.opcode = 0x30});
  at_0("negate by register", Rule::kUnknownInstruction, {.opcode = 0x8f});
  at_0("signed division", Rule::kUnusedFieldSet, {.opcode = 0x3f, .offset = 1});
  at_0("sign-extending move", Rule::kUnusedFieldSet, {.opcode = 0xbf, .src = 1, .offset = 8});
  at_0("call by register", Rule::kUnknownInstruction, {.opcode = 0x8d});
  at_0("call of a local function", Rule::kUnusedFieldSet, {.opcode = 0x85, .src = 1, .imm = 1});
  at_0("immediate beside a register", Rule::kUnusedFieldSet, {.opcode = 0xbf, .src = 1, .imm = 1});
  at_0("r11", Rule::kNoSuchRegister, {.opcode = 0xbf, .dst = 2, .src = 11});
  at_0("r15 written", Rule::kNoSuchRegister, {.opcode = 0xb7, .dst = 15});
  at_0("r10 written", Rule::kFramePointerWritten, {.opcode = 0xb7, .dst = 10});
  at_0("r10 loaded", Rule::kFramePointerWritten, {.opcode = 0x79, .dst = 10, .src = 1});
  at_0("shift by the width", Rule::kShiftTooFar, {.opcode = 0x64, .imm = 32});
  at_0("shift by less than nothing", Rule::kShiftTooFar, {.opcode = 0x67, .imm = -1});
  at_0("jump to itself", Rule::kJumpBackward, {.opcode = 0x05, .offset = -1});
  at_0("jump past the end", Rule::kJumpOutside, {.opcode = 0x05, .offset = 2});
  at_0("helper 0", Rule::kUnknownHelper, {.opcode = 0x85});
  at_0("helper 17", Rule::kUnknownHelper, {.opcode = 0x85, .imm = 17});
  cases.push_back({"jump into a wide immediate",
                   {Rule::kJumpOutside, 0},
                   raw({{.opcode = 0x05, .offset = 1}, {.opcode = 0x18}, {}, kExit})});
  cases.push_back({"second slot with an opcode",
                   {Rule::kUnusedFieldSet, 1},
                   raw({{.opcode = 0x18}, kZero, kExit})});
  cases.push_back({"half a wide immediate", {Rule::kFallsOffTheEnd, 0}, raw({{.opcode = 0x18}})});
  cases.push_back({"no exit", {Rule::kFallsOffTheEnd, 0}, raw({kZero})});
  cases.push_back({"code after exit", {Rule::kUnreachable, 2}, raw({kZero, kExit, kZero, kExit})});
}

void add_registers(std::vector<Rejected>& cases) {
  const auto add = [&](std::string what, Rule rule, std::size_t at, const Write& write) {
    cases.push_back({std::move(what), {rule, at}, assemble(write)});
  };
  add("exit without result", Rule::kRegisterUninitialised, 0, [](Assembler& as) { as.exit(); });
  add("arithmetic on nothing", Rule::kRegisterUninitialised, 0,
      [](Assembler& as) { as.alu(AluOp::kAdd, r3, 1); });
  add("argument read after a call", Rule::kRegisterUninitialised, 1, [](Assembler& as) {
    as.call(Helper::kTakeToken);
    as.mov(r0, r1);
  });
  add("written on one path only", Rule::kRegisterUninitialised, 4, [](Assembler& as) {
    const auto over = as.new_label();
    as.load(Size::k8, r2, r1, 0);
    as.jump_if(JumpOp::kEqual, r2, 0, over);
    as.mov(r0, 0);
    as.bind(over);
    as.mov(r3, 1);
    as.exit();
  });
  add("different pointers on two paths", Rule::kRegisterUninitialised, 5, [](Assembler& as) {
    const auto over = as.new_label();
    as.load(Size::k8, r2, r1, 0);
    as.mov(r3, r1);
    as.jump_if(JumpOp::kEqual, r2, 0, over);
    as.mov(r3, r10);
    as.bind(over);
    as.mov(r0, 0);
    as.load(Size::k8, r4, r3, 0);
  });
  add("half of a pointer", Rule::kPointerArithmetic, 0,
      [](Assembler& as) { as.alu(AluOp::kMove, r2, r1, Width::k32); });
  add("pointer times two", Rule::kPointerArithmetic, 0,
      [](Assembler& as) { as.alu(AluOp::kMul, r1, 2); });
  add("pointer plus an unknown number", Rule::kPointerArithmetic, 1, [](Assembler& as) {
    as.load(Size::k8, r2, r1, 0);
    as.alu(AluOp::kAdd, r1, r2);
  });
  add("pointer minus pointer", Rule::kPointerArithmetic, 0,
      [](Assembler& as) { as.alu(AluOp::kSub, r1, r10); });
  add("number plus pointer", Rule::kPointerArithmetic, 1, [](Assembler& as) {
    as.mov(r2, 8);
    as.alu(AluOp::kAdd, r2, r1);
  });
  add("pointer gone far", Rule::kPointerArithmetic, 0,
      [](Assembler& as) { as.alu(AluOp::kAdd, r1, 1 << 30); });
  add("pointer compared with a number", Rule::kPointerCompared, 0, [](Assembler& as) {
    const auto over = as.new_label();
    as.jump_if(JumpOp::kGreater, r1, 0, over);
    as.bind(over);
    as.exit(Outcome::kNoMatch);
  });
  add("number compared with a pointer", Rule::kPointerCompared, 1, [](Assembler& as) {
    const auto over = as.new_label();
    as.mov(r2, 0);
    as.jump_if(JumpOp::kEqual, r2, r1, over);
    as.bind(over);
    as.exit(Outcome::kNoMatch);
  });
  add("pointer stored to the stack", Rule::kPointerStored, 0,
      [](Assembler& as) { as.store(Size::k8, r10, -8, r1); });
  add("pointer as the result", Rule::kPointerAsNumber, 1, [](Assembler& as) {
    as.mov(r0, r1);
    as.exit();
  });
  add("result that is no outcome", Rule::kNotAnOutcome, 1, [](Assembler& as) {
    as.mov(r0, 5);
    as.exit();
  });
  add("result that may be no outcome", Rule::kNotAnOutcome, 1, [](Assembler& as) {
    as.load(Size::k8, r0, r1, 0);
    as.exit();
  });
}

void add_memory(std::vector<Rejected>& cases) {
  const auto add = [&](std::string what, Rule rule, std::size_t at, const Write& write) {
    cases.push_back({std::move(what), {rule, at}, assemble(write)});
  };
  const auto add_in_record = [&](std::string what, Rule rule, std::size_t at, const Write& write) {
    cases.push_back({std::move(what), {rule, at + 6}, with_record(write)});
  };
  add("load through a number", Rule::kNotAPointer, 1, [](Assembler& as) {
    as.mov(r2, 0x1000);
    as.load(Size::k8, r0, r2, 0);
  });
  add("store through a number", Rule::kNotAPointer, 1, [](Assembler& as) {
    as.mov(r2, 0x1000);
    as.store(Size::k8, r2, 0, 1);
  });
  add("store to the context", Rule::kContextWritten, 0,
      [](Assembler& as) { as.store(Size::k8, r1, 0, 1); });
  add("four bytes of the context", Rule::kContextOutOfBounds, 0,
      [](Assembler& as) { as.load(Size::k4, r0, r1, 0); });
  add("context, unaligned", Rule::kContextOutOfBounds, 0,
      [](Assembler& as) { as.load(Size::k8, r0, r1, 4); });
  add("context before its start", Rule::kContextOutOfBounds, 0,
      [](Assembler& as) { as.load(Size::k8, r0, r1, -8); });
  add("context past the registers", Rule::kContextOutOfBounds, 0,
      [](Assembler& as) { as.load(Size::k8, r0, r1, 168); });
  for (const std::size_t unsaved :
       {offsetof(runtime::SavedRegisters, orig_rax), offsetof(runtime::SavedRegisters, cs),
        offsetof(runtime::SavedRegisters, eflags), offsetof(runtime::SavedRegisters, ss)})
    add("a word that no hit saves, at " + std::to_string(unsaved), Rule::kContextOutOfBounds, 0,
        [unsaved](Assembler& as) {
          as.load(Size::k8, r0, r1, static_cast<std::int16_t>(unsaved));
        });
  add("xmm that was not asked for", Rule::kContextOutOfBounds, 0,
      [](Assembler& as) { as.load(Size::k8, r0, r1, 256); });
  add("stack above its top", Rule::kStackOutOfBounds, 0,
      [](Assembler& as) { as.store(Size::k8, r10, -7, 1); });
  add("stack below its end", Rule::kStackOutOfBounds, 0,
      [](Assembler& as) { as.store(Size::k8, r10, -257, 1); });
  add("stack never written", Rule::kStackUninitialised, 1, [](Assembler& as) {
    as.store(Size::k4, r10, -8, 1);
    as.load(Size::k8, r0, r10, -8);
  });
  add("stack written on one path", Rule::kStackUninitialised, 3, [](Assembler& as) {
    const auto over = as.new_label();
    as.load(Size::k8, r2, r1, 0);
    as.jump_if(JumpOp::kEqual, r2, 0, over);
    as.store(Size::k8, r10, -8, 1);
    as.bind(over);
    as.load(Size::k8, r0, r10, -8);
  });
  add_in_record("record read", Rule::kRecordRead, 0,
                [](Assembler& as) { as.load(Size::k8, r2, r9, 0); });
  add_in_record("pointer stored to the record", Rule::kPointerStored, 0,
                [](Assembler& as) { as.store(Size::k8, r9, 0, r10); });
  add_in_record("record past its end", Rule::kRecordOutOfBounds, 0,
                [](Assembler& as) { as.store(Size::k8, r9, 57, 1); });
  add_in_record("record before its start", Rule::kRecordOutOfBounds, 0,
                [](Assembler& as) { as.store(Size::k1, r9, -1, 1); });
}

void add_helpers(std::vector<Rejected>& cases) {
  const auto read = [&](std::string what, Rule rule, std::size_t at, const Write& write) {
    cases.push_back({std::move(what), {rule, at}, assemble([&](Assembler& as) {
                       as.mov(r4, 1);
                       write(as);
                     })});
  };
  read("read to nowhere", Rule::kHelperDestination, 4, [](Assembler& as) {
    as.mov(r1, 0x1000);
    as.mov(r2, 8);
    as.mov(r3, 0);
    as.call(Helper::kReadUser);
  });
  read("read to the context", Rule::kHelperDestination, 3, [](Assembler& as) {
    as.mov(r2, 8);
    as.mov(r3, 0);
    as.call(Helper::kReadUser);
  });
  read("read of nothing", Rule::kHelperSize, 4, [](Assembler& as) {
    as.mov(r1, r10);
    as.mov(r2, 0);
    as.mov(r3, 0);
    as.call(Helper::kReadFrame);
  });
  read("next node of a tree to more than a word", Rule::kHelperSize, 6, [](Assembler& as) {
    as.mov(r1, r10);
    as.alu(AluOp::kAdd, r1, -16);
    as.mov(r2, 16);
    as.mov(r3, 0);
    as.mov(r4, 0);
    as.call(Helper::kTreeNext);
  });
  read("wide text whose character is a pointer", Rule::kPointerAsNumber, 6, [](Assembler& as) {
    as.mov(r1, r10);
    as.alu(AluOp::kAdd, r1, -8);
    as.mov(r2, 8);
    as.mov(r3, 0);
    as.mov(r4, r10);
    as.call(Helper::kReadWide);
  });
  read("look for a full bucket by large pieces", Rule::kHelperSize, 6, [](Assembler& as) {
    as.mov(r1, r10);
    as.alu(AluOp::kAdd, r1, -72);
    as.mov(r2, 72);
    as.mov(r3, 0);
    as.mov(r4, 0);
    as.call(Helper::kNextFull);
  });
  read("read of an unknown size", Rule::kHelperSize, 5, [](Assembler& as) {
    as.load(Size::k8, r2, r1, 0);
    as.mov(r1, r10);
    as.alu(AluOp::kAdd, r1, -8);
    as.mov(r3, 0);
    as.call(Helper::kReadFrame);
  });
  read("read past the stack's top", Rule::kStackOutOfBounds, 5, [](Assembler& as) {
    as.mov(r1, r10);
    as.alu(AluOp::kAdd, r1, -8);
    as.mov(r2, 9);
    as.mov(r3, 0);
    as.call(Helper::kReadFrame);
  });
  read("read from a pointer of the program's", Rule::kPointerAsNumber, 4, [](Assembler& as) {
    as.mov(r3, r1);
    as.mov(r1, r10);
    as.mov(r2, 8);
    as.call(Helper::kReadFrame);
  });
  read("length that is a pointer", Rule::kPointerAsNumber, 5, [](Assembler& as) {
    as.mov(r4, r1);
    as.mov(r1, r10);
    as.mov(r2, 8);
    as.mov(r3, 0);
    as.call(Helper::kReadBytes);
  });
  cases.push_back({"read past the record", {Rule::kRecordOutOfBounds, 9}, with_record([](auto& as) {
                     as.mov(r1, r9);
                     as.mov(r2, 65);
                     as.mov(r3, 0);
                     as.call(Helper::kReadUser);
                   })});
}

// r0 = token, granted.
void take_token(Assembler& as, Assembler::Label otherwise) {
  as.call(Helper::kTakeToken);
  as.jump_if(JumpOp::kEqual, r0, 0, otherwise);
}

void add_protocol(std::vector<Rejected>& cases) {
  const auto add = [&](std::string what, Rule rule, std::size_t at, const Write& write) {
    cases.push_back({std::move(what), {rule, at}, assemble([&](Assembler& as) {
                       write(as);
                       as.exit(Outcome::kNoMatch);
                     })});
  };
  add("token twice", Rule::kTokenTwice, 1, [](Assembler& as) {
    as.call(Helper::kTakeToken);
    as.call(Helper::kTakeToken);
  });
  for (const Helper helper : {Helper::kOpenCall, Helper::kCloseCall}) {
    add("a call's token beside another", Rule::kTokenTwice, 2, [helper](Assembler& as) {
      as.call(Helper::kTakeToken);
      as.mov(r1, 8);
      as.call(helper);
    });
    add("a call without a frame", Rule::kRegisterUninitialised, 1, [helper](Assembler& as) {
      as.call(Helper::kThreadPointer);
      as.call(helper);
    });
    add("a pointer for a frame", Rule::kPointerAsNumber, 1, [helper](Assembler& as) {
      as.mov(r1, r10);
      as.call(helper);
    });
    add("reserve with a call's token not looked at", Rule::kReserveWithoutToken, 2,
        [helper](Assembler& as) {
          as.mov(r1, 8);
          as.call(helper);
          as.call(Helper::kReserve);
        });
  }
  add("reserve without token", Rule::kReserveWithoutToken, 0,
      [](Assembler& as) { as.call(Helper::kReserve); });
  add("reserve with a token not looked at", Rule::kReserveWithoutToken, 1, [](Assembler& as) {
    as.call(Helper::kTakeToken);
    as.call(Helper::kReserve);
  });
  add("reserve with a token denied", Rule::kReserveWithoutToken, 2, [](Assembler& as) {
    const auto granted = as.new_label();
    as.call(Helper::kTakeToken);
    as.jump_if(JumpOp::kNotEqual, r0, 0, granted);
    as.call(Helper::kReserve);
    as.bind(granted);
  });
  add("reserve where denied and granted meet", Rule::kReserveWithoutToken, 2, [](Assembler& as) {
    const auto over = as.new_label();
    take_token(as, over);
    as.bind(over);
    as.call(Helper::kReserve);
  });
  add("store to a record not looked at", Rule::kRecordNotChecked, 3, [](Assembler& as) {
    const auto over = as.new_label();
    take_token(as, over);
    as.call(Helper::kReserve);
    as.store(Size::k8, r0, 0, 1);
    as.bind(over);
  });
  add("store to a record that is null", Rule::kRegisterUninitialised, 4, [](Assembler& as) {
    const auto over = as.new_label();
    take_token(as, over);
    as.call(Helper::kReserve);
    as.jump_if(JumpOp::kNotEqual, r0, 0, over);
    as.store(Size::k8, r0, 0, 1);
    as.bind(over);
  });
  add("null check on half of the pointer", Rule::kPointerCompared, 3, [](Assembler& as) {
    const auto over = as.new_label();
    take_token(as, over);
    as.call(Helper::kReserve);
    as.jump_if(JumpOp::kEqual, r0, 0, over, Width::k32);
    as.bind(over);
  });
  const auto add_in_record = [&](std::string what, Rule rule, std::size_t at, const Write& write) {
    cases.push_back({std::move(what), {rule, at + 6}, with_record(write)});
  };
  add_in_record("reserve twice", Rule::kReserveTwice, 0,
                [](Assembler& as) { as.call(Helper::kReserve); });
  add_in_record("commit of the middle", Rule::kRecordNotOwned, 2, [](Assembler& as) {
    as.mov(r1, r9);
    as.alu(AluOp::kAdd, r1, 8);
    as.call(Helper::kCommit);
  });
  add_in_record("commit of the stack", Rule::kRecordNotOwned, 1, [](Assembler& as) {
    as.mov(r1, r10);
    as.call(Helper::kCommit);
  });
  add_in_record("store after the commit", Rule::kRegisterUninitialised, 2, [](Assembler& as) {
    as.mov(r1, r9);
    as.call(Helper::kCommit);
    as.store(Size::k8, r9, 0, 1);
  });
  add_in_record("commit twice", Rule::kRegisterUninitialised, 2, [](Assembler& as) {
    as.mov(r1, r9);
    as.call(Helper::kAbandon);
    as.mov(r1, r9);
  });
  add_in_record("exit with the record in hand", Rule::kRecordLeft, 3, [](Assembler& as) {
    const auto over = as.new_label();
    as.mov(r2, 0);
    as.jump_if(JumpOp::kEqual, r2, 0, over);
    as.mov(r0, 1);
    as.exit();
    as.bind(over);
  });
}

std::vector<Rejected> all_rejected() {
  std::vector<Rejected> cases;
  add_shapes(cases);
  add_registers(cases);
  add_memory(cases);
  add_helpers(cases);
  add_protocol(cases);
  return cases;
}

TEST(Verifier, NamesTheRuleAndTheInstructionOfEachViolation) {
  for (const Rejected& c : all_rejected()) {
    const auto verified = verify(c.program);
    ASSERT_FALSE(verified) << c.what << "\n" << list(c.program);
    EXPECT_EQ(name(verified.error().rule), name(c.expected.rule)) << c.what;
    EXPECT_EQ(verified.error().instruction, c.expected.instruction) << c.what << "\n"
                                                                    << list(c.program);
  }
}

TEST(Verifier, HasAProgramThatBreaksEachRule) {
  std::set<Rule> seen;
  for (const Rejected& c : all_rejected()) seen.insert(c.expected.rule);
  for (int rule = 0; rule <= static_cast<int>(Rule::kNotAnOutcome); ++rule)
    EXPECT_TRUE(seen.contains(static_cast<Rule>(rule))) << name(static_cast<Rule>(rule));
}

TEST(Verifier, SaysWhichRuleAndWhereInItsError) {
  const Error error = to_error({Rule::kRecordLeft, 12});
  EXPECT_EQ(error.code, ErrorCode::kInternal);
  EXPECT_EQ(error.reason, "record-left");
  EXPECT_NE(error.message.find("instruction 12"), std::string::npos);
}

}  // namespace
}  // namespace nohalt::program
