// The machine that runs a location's program over captured registers and bytes.
#include "probes/stacks/registers.h"

#include <gtest/gtest.h>

#include <cstring>

namespace nohalt::stacks {
namespace {

using symbols::Op;
using symbols::OpKind;

constexpr std::uint64_t kKnownWord = 0x8877'6655'4433'2211;

bool read_one_word(std::uint64_t from, std::span<std::byte> to) {
  if (from != 0x1000 || to.size() > 8) return false;
  std::memcpy(to.data(), &kKnownWord, to.size());
  return true;
}

std::expected<std::uint64_t, Lacking> run(const std::vector<Op>& program) {
  Registers registers;
  registers[kRsp] = 0xff8;
  return evaluate(program, registers, LoadBias{0x5000}, read_one_word);
}

Op constant(std::uint64_t value) { return {.kind = OpKind::kConstant, .value = value}; }
Op plain(OpKind kind) { return {.kind = kind}; }

TEST(Registers, AreTakenFromAHitByDwarfNumber) {
  runtime::SavedRegisters saved{};
  saved.rdx = 1;
  saved.rcx = 2;
  saved.r15 = 15;
  saved.rsp = 7;
  saved.rip = 16;
  const Registers registers = registers_of(saved);
  EXPECT_EQ(registers[1], 1);
  EXPECT_EQ(registers[2], 2);
  EXPECT_EQ(registers[15], 15);
  EXPECT_EQ(registers[kRsp], 7);
  EXPECT_EQ(registers[kPc], 16);
}

TEST(Evaluate, AddsAnOffsetToARegister) {
  EXPECT_EQ(run({{.kind = OpKind::kRegister, .number = kRsp}, constant(8), plain(OpKind::kPlus)}),
            0x1000);
}

TEST(Evaluate, ReadsCapturedMemoryZeroExtended) {
  EXPECT_EQ(run({constant(0x1000), {.kind = OpKind::kDereference, .size = 2}}), 0x2211);
}

TEST(Evaluate, FollowsBranches) {
  const auto chosen = [](std::uint64_t condition) {
    return run({constant(condition),
                {.kind = OpKind::kBranch, .value = 2},
                constant(20),
                {.kind = OpKind::kSkip, .value = 1},
                constant(10)});
  };
  EXPECT_EQ(chosen(1), 10);
  EXPECT_EQ(chosen(0), 20);
  EXPECT_EQ(run({constant(1), {.kind = OpKind::kSkip, .value = 1}}).error(), Lacking::kMalformed);
}

TEST(Evaluate, SaysThatMemoryWasNotCaptured) {
  EXPECT_EQ(run({constant(0x1001), {.kind = OpKind::kDereference, .size = 8}}).error(),
            Lacking::kMemory);
}

TEST(Evaluate, SaysThatARegisterIsLost) {
  EXPECT_EQ(run({{.kind = OpKind::kRegister, .number = kRbp}}).error(), Lacking::kRegister);
}

TEST(Evaluate, MovesLinkAddressesByTheBias) {
  EXPECT_EQ(run({{.kind = OpKind::kLinkAddress, .value = 0x10}}), 0x5010);
}

TEST(Evaluate, RefusesWhatMakesNoSense) {
  for (const std::vector<Op>& program :
       std::vector<std::vector<Op>>{{},
                                    {plain(OpKind::kPlus)},
                                    {constant(1), plain(OpKind::kSwap)},
                                    {constant(1), constant(0), plain(OpKind::kDivSigned)},
                                    {constant(1), {.kind = OpKind::kPick, .value = 1}},
                                    {{.kind = OpKind::kRegister, .number = 40}},
                                    {constant(0x1000), {.kind = OpKind::kDereference, .size = 9}}})
    EXPECT_EQ(run(program).error(), Lacking::kMalformed);
}

// (rip & 15) >= 11, eight bytes for it: the rule of PLT entries.
TEST(Evaluate, ComparesAndShifts) {
  const auto rule = [](std::uint64_t rip) {
    return run({constant(rip), constant(15), plain(OpKind::kAnd), constant(11),
                plain(OpKind::kGeSigned), constant(3), plain(OpKind::kShl)});
  };
  EXPECT_EQ(rule(0x40100a), 0);
  EXPECT_EQ(rule(0x40100b), 8);
}

}  // namespace
}  // namespace nohalt::stacks
