// What our reading of an instruction adds to the disassembler's.

#include <gtest/gtest.h>

#include <initializer_list>
#include <vector>

#include "probes/engines/inline/sites/instruction.h"

namespace nohalt::inline_sites {
namespace {

Instruction decoded(std::initializer_list<std::uint8_t> bytes) {
  const std::vector<std::uint8_t> code(bytes);
  const auto found = decode(code);
  EXPECT_TRUE(found);
  return found.value_or(Instruction{});
}

TEST(Decode, CountsBranchDistancesFromTheEnd) {
  EXPECT_EQ(decoded({0x74, 0xfe}).relative, -2);
  EXPECT_EQ(decoded({0x0f, 0x84, 0, 1, 0, 0}).relative, 256);
  EXPECT_EQ(decoded({0xe8, 0xfb, 0xff, 0xff, 0xff}).relative, -5);
  EXPECT_EQ(decoded({0x67, 0xe3, 0x10}).flow, Flow::kCounted);
}

TEST(Decode, FindsTheOperandDistanceUnderAPrefixThatMisleadsTheDisassembler) {
  const auto i = decoded({0x66, 0x0f, 0x3a, 0x0f, 0x05, 1, 2, 3, 4, 7});  // palignr
  EXPECT_TRUE(i.rip_relative);
  EXPECT_EQ(i.relative, 0x04030201);
}

TEST(Decode, TellsStackUseFromOtherMemory) {
  EXPECT_EQ(decoded({0x55}).memory, MemoryUse::kStack);
  EXPECT_EQ(decoded({0x8b, 0x07}).memory, MemoryUse::kAny);
  EXPECT_EQ(decoded({0xff, 0x37}).memory, MemoryUse::kAny);  // push (%rdi)
  EXPECT_EQ(decoded({0x48, 0x8d, 0x07}).memory, MemoryUse::kNone);
}

TEST(Decode, TellsStoresFromLoads) {
  EXPECT_TRUE(decoded({0x89, 0x07}).writes_memory);
  EXPECT_FALSE(decoded({0x8b, 0x07}).writes_memory);
  EXPECT_FALSE(decoded({0x39, 0x07}).writes_memory);  // cmp
  EXPECT_FALSE(decoded({0x84, 0x07}).writes_memory);  // test
  EXPECT_TRUE(decoded({0x55}).writes_memory);         // push
  EXPECT_FALSE(decoded({0x5d}).writes_memory);        // pop
  EXPECT_TRUE(decoded({0xa4}).writes_memory);         // movsb
}

TEST(Decode, NamesImplicitlyWrittenRegisters) {
  EXPECT_EQ(decoded({0x48, 0xf7, 0xe1}).writes_general & 0x5, 0x5);  // mul: rax and rdx
  EXPECT_EQ(decoded({0x5b}).writes_general & 0x18, 0x18);            // pop rbx: rbx and rsp
  EXPECT_TRUE(decoded({0x66, 0x0f, 0xef, 0xc0}).writes_vector);      // pxor
}

TEST(Decode, RefusesWhatIsCutShort) {
  const std::vector<std::uint8_t> half = {0x48, 0xb8, 1, 2};
  EXPECT_FALSE(decode(half));
  EXPECT_FALSE(decode({}));
}

}  // namespace
}  // namespace nohalt::inline_sites
