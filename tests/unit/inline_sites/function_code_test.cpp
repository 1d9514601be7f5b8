// What is known of a function: completeness, certain starts, branch targets,
// jump tables.

#include "probes/engines/inline/sites/function_code.h"

#include <gtest/gtest.h>

#include <cstring>

#include "tests/unit/inline_sites/code.h"

namespace nohalt::inline_sites {
namespace {

TEST(FunctionCode, IsCompleteWithPaddingBehindTheLastReturn) {
  EXPECT_TRUE(TestCode({0xc3, 0x66, 0x90}).code.complete());
  EXPECT_TRUE(TestCode({0xe8, 0, 0, 0, 0, 0x90}).code.complete());  // a call that never returns
  EXPECT_TRUE(TestCode({0xc3, 0xcc}).code.complete());
}

TEST(FunctionCode, IsIncompleteWhereControlRunsOffItsEnd) {
  EXPECT_FALSE(TestCode({0xc3, 0x89, 0xc3}).code.complete());
  EXPECT_FALSE(TestCode({0x90, 0x90}).code.complete());
}

TEST(FunctionCode, IsIncompleteWhereAnInstructionCrossesItsEnd) {
  EXPECT_FALSE(TestCode({0xc3, 0xb8, 0, 0}).code.complete());
}

TEST(FunctionCode, KeepsStartsCertainThatControlReachesBeforeJunk) {
  // ret behind a branch over two bytes that do not decode.
  const TestCode code({0x90, 0xeb, 0x02, 0x06, 0x06, 0xc3});
  EXPECT_FALSE(code.code.complete());
  EXPECT_NE(code.code.at(kEntry + 1), nullptr);
}

TEST(FunctionCode, FindsItsFeetAgainAtAKnownStart) {
  TestCode code({0xeb, 0x02, 0x06, 0xb8, 0x90, 0xc3});
  EXPECT_EQ(code.code.at(kEntry + 4), nullptr);
  code.input.known_starts = {kEntry + 4};
  code.decode_again();
  EXPECT_NE(code.code.at(kEntry + 4), nullptr);
  EXPECT_FALSE(code.code.complete());
}

TEST(FunctionCode, DoesNotTrustInstructionsThatOnlyFollowJunk) {
  // Behind the jump lies data that happens to decode up to a byte that does not.
  const TestCode code({0xeb, 0x04, 0x90, 0x90, 0x06, 0x06, 0xc3});
  EXPECT_EQ(code.code.at(kEntry + 2), nullptr);
}

TEST(FunctionCode, CollectsBranchTargetsFromInsideAndOutside) {
  TestCode code({0x74, 0x01, 0x90, 0x90, 0xc3});
  code.input.branch_targets = {kEntry + 4, kEntry + 400};
  code.decode_again();
  const auto targets = code.code.branch_targets();
  EXPECT_EQ(std::vector(targets.begin(), targets.end()),
            (std::vector{kEntry, kEntry + 3, kEntry + 4}));
  EXPECT_TRUE(code.code.branches_into({kEntry + 1, kEntry + 4}));
  EXPECT_FALSE(code.code.branches_into({kEntry + 1, kEntry + 3}));
}

TEST(FunctionCode, TakesATransactionForABranchThatIsNotKnown) {
  EXPECT_TRUE(TestCode({0xc7, 0xf8, 0, 0, 0, 0, 0xc3}).code.has_unknown_indirect_jump());
}

TEST(FunctionCode, RefusesARangeOutsideItsText) {
  TestCode code({0xc3});
  code.input.range.end = kEntry + 1000;
  code.decode_again();
  EXPECT_FALSE(code.code.complete());
  EXPECT_EQ(code.code.at(kEntry), nullptr);
}

// cmp $1,%edi; ja 1f; lea table(%rip),%rdx; movslq (%rdx,%rdi,4),%rax; add
// %rdx,%rax; jmp *%rax; a: ret; b: ret; 1: ret
constexpr std::initializer_list<std::uint8_t> kSwitch = {
    0x83, 0xff, 0x01, 0x77, 0x12, 0x48, 0x8d, 0x15, 0xf4, 0x0f, 0x00, 0x00,
    0x48, 0x63, 0x04, 0xba, 0x48, 0x01, 0xd0, 0xff, 0xe0, 0xc3, 0xc3, 0xc3};
constexpr LinkAddress kTable{0x402000};

ReadData table_at(LinkAddress table, std::vector<std::uint8_t> data) {
  return [table, data](LinkAddress at, std::span<std::uint8_t> to) {
    if (at != table || to.size() > data.size()) return false;
    std::memcpy(to.data(), data.data(), to.size());
    return true;
  };
}

std::vector<std::uint8_t> distances(std::initializer_list<LinkAddress> targets) {
  std::vector<std::uint8_t> data;
  for (const LinkAddress target : targets) {
    const auto distance = static_cast<std::uint32_t>(target - kTable);
    for (int i = 0; i < 4; ++i) data.push_back(static_cast<std::uint8_t>(distance >> (8 * i)));
  }
  return data;
}

TEST(JumpTable, OfDistancesIsProven) {
  TestCode code(kSwitch);
  EXPECT_TRUE(code.code.has_unknown_indirect_jump());  // its data cannot be read yet
  code.input.read_data = table_at(kTable, distances({kEntry + 21, kEntry + 22}));
  code.decode_again();
  EXPECT_FALSE(code.code.has_unknown_indirect_jump());
  EXPECT_TRUE(code.code.branches_into({kEntry + 21, kEntry + 22}));
  EXPECT_TRUE(code.code.branches_into({kEntry + 22, kEntry + 23}));
}

TEST(JumpTable, IsNotProvenWhereABranchSkipsTheBoundCheck) {
  TestCode code(kSwitch);
  code.input.read_data = table_at(kTable, distances({kEntry + 21, kEntry + 22}));
  code.input.branch_targets = {kEntry + 5};
  code.decode_again();
  EXPECT_TRUE(code.code.has_unknown_indirect_jump());
}

TEST(JumpTable, IsNotProvenWhereItsOwnEntriesSkipTheBoundCheck) {
  TestCode code(kSwitch);
  code.input.read_data = table_at(kTable, distances({kEntry + 21, kEntry + 12}));
  code.decode_again();
  EXPECT_TRUE(code.code.has_unknown_indirect_jump());
}

TEST(JumpTable, IsNotProvenWithoutABound) {
  TestCode code({0x48, 0x8d, 0x15, 0xf9, 0x0f, 0x00, 0x00, 0x48, 0x63, 0x04, 0xba, 0x48, 0x01, 0xd0,
                 0xff, 0xe0, 0xc3});
  code.input.read_data = table_at(kTable, distances({kEntry + 16}));
  code.decode_again();
  EXPECT_TRUE(code.code.has_unknown_indirect_jump());
}

TEST(JumpTable, IsNotProvenWhereTheComparisonIsOfAnotherRegister) {
  TestCode code({0x83, 0xfe, 0x01, 0x77, 0x12, 0x48, 0x8d, 0x15, 0xf4, 0x0f, 0x00, 0x00, 0x48,
                 0x63, 0x04, 0xba, 0x48, 0x01, 0xd0, 0xff, 0xe0, 0xc3, 0xc3, 0xc3});  // cmp $1,%esi
  code.input.read_data = table_at(kTable, distances({kEntry + 21, kEntry + 22}));
  code.decode_again();
  EXPECT_TRUE(code.code.has_unknown_indirect_jump());
}

TEST(JumpTable, OfAddressesIsProven) {
  // cmp $0,%edi; ja 1f; jmp *0x402000(,%rdi,8); 1: ret
  TestCode code({0x83, 0xff, 0x00, 0x77, 0x07, 0xff, 0x24, 0xfd, 0x00, 0x20, 0x40, 0x00, 0xc3});
  std::vector<std::uint8_t> data(8);
  const std::uint64_t target = (kEntry + 12).value;
  std::memcpy(data.data(), &target, sizeof target);
  code.input.read_data = table_at(kTable, data);
  code.decode_again();
  EXPECT_FALSE(code.code.has_unknown_indirect_jump());
}

}  // namespace
}  // namespace nohalt::inline_sites
