// Reads of the hit's frame are plain loads exactly where the memory is proven
// mapped, to the byte; beyond, the runtime is asked.
#include <gtest/gtest.h>

#include "probes/engines/inline/translate/translate.h"
#include "probes/program/assembler.h"
#include "tests/differential/program/machine.h"

namespace nohalt::program_test {
namespace {

using program::AluOp;
using program::Assembler;
using program::Helper;
using program::Outcome;
using program::Register;
using program::Size;

// Where the address to read comes from.
enum class From { kUnknownNumber, kRspPlusConstant };

program::Program reader(std::uint64_t size, From from, std::int32_t distance) {
  Assembler as;
  as.load(Size::k8, Register::kR3, Register::kR1,
          from == From::kUnknownNumber ? offsetof(runtime::SavedRegisters, r15)
                                       : offsetof(runtime::SavedRegisters, rsp));
  if (from == From::kRspPlusConstant) as.alu(AluOp::kAdd, Register::kR3, distance);
  as.mov(Register::kR1, Register::kR10);
  as.alu(AluOp::kAdd, Register::kR1, -64);
  as.mov(Register::kR2, size);
  as.call(Helper::kReadFrame);
  as.exit(Outcome::kNoMatch);
  program::Program program;
  program.code = *as.finish();
  return program;
}

// Whether reading [rsp + distance, + size) asks the runtime.
bool asks_runtime(std::uint64_t size, std::int32_t distance, std::uint64_t rsp_in_page,
                  From from = From::kUnknownNumber) {
  Machine machine;
  const auto body =
      inline_translate::translate(reader(size, from, distance), machine.surroundings());
  EXPECT_TRUE(body) << body.error().message;
  if (!body) return false;
  Model model(1, 8);
  model.log_every_read();
  const auto stack = reinterpret_cast<std::uint64_t>(TargetMemory::get().stack);
  model.context().regs.rsp = stack + 4096 + rsp_in_page;
  model.context().regs.r15 =
      model.context().regs.rsp + static_cast<std::uint64_t>(static_cast<std::int64_t>(distance));
  EXPECT_EQ(machine.run(*body, model), 0U);
  return !model.calls().empty();
}

// The runtime loads without a call what the context's rsp says to be stack.
TEST(FrameRead, HasRspSavedForTheRuntimeWhereTheBodyHasNoUseOfIt) {
  constexpr std::uint32_t kRsp = 1U << offsetof(runtime::SavedRegisters, rsp) / 8;
  Machine machine;
  for (const std::uint64_t size : {8, 33, 56, 64}) {
    const auto body =
        inline_translate::translate(reader(size, From::kUnknownNumber, 0), machine.surroundings());
    ASSERT_TRUE(body) << body.error().message;
    EXPECT_NE(body->registers & kRsp, 0U) << size;
  }
}

TEST(FrameRead, LoadsPlainlyFromTheRedZoneWhereverThePageEnds) {
  for (const std::uint64_t size : {1, 2, 4, 8, 12, 16, 24, 32}) {
    const auto last = -static_cast<std::int32_t>(size);
    EXPECT_FALSE(asks_runtime(size, -128, 64, From::kRspPlusConstant)) << size;
    EXPECT_FALSE(asks_runtime(size, last, 64, From::kRspPlusConstant)) << size;
    EXPECT_TRUE(asks_runtime(size, -129, 64, From::kRspPlusConstant)) << size;
  }
}

TEST(FrameRead, LoadsPlainlyWithinThePageBelowRsp) {
  for (const std::uint64_t size : {1, 2, 4, 8, 12, 16, 24, 32}) {
    const auto last = 4096 - 2048 - static_cast<std::int32_t>(size);
    EXPECT_FALSE(asks_runtime(size, -2048, 2048)) << size;
    EXPECT_FALSE(asks_runtime(size, last, 2048)) << size;
    EXPECT_TRUE(asks_runtime(size, -2049, 2048)) << size;
    EXPECT_TRUE(asks_runtime(size, last + 1, 2048)) << size;
  }
}

TEST(FrameRead, TakesThePageBelowForAnRspAtThePageBorder) {
  EXPECT_FALSE(asks_runtime(8, -8, 0));
  EXPECT_TRUE(asks_runtime(8, 0, 0));
  EXPECT_TRUE(asks_runtime(8, -4, 0));
}

TEST(FrameRead, AsksTheRuntimeForMoreThanAFewWords) { EXPECT_TRUE(asks_runtime(33, 0, 2048)); }

}  // namespace
}  // namespace nohalt::program_test
