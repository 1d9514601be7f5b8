// Where calls begin and end: the frame told by instructions, and the places before a
// return at which its value is there already.
#include "probes/engines/inline/sites/function_exits.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/inline_sites/code.h"

namespace nohalt::inline_sites {
namespace {

struct Spot {
  std::uint64_t offset;
  bool behind;
  bool by_rbp;
  std::int64_t distance;
};

void expect_spots(const TestCode& code, std::size_t exit, std::vector<Spot> expected) {
  const auto exits = function_exits(code.code);
  ASSERT_LT(exit, exits.size());
  std::vector<ReturnSpot> spots = exits[exit].spots;
  std::ranges::sort(spots, {}, &ReturnSpot::pc);
  ASSERT_EQ(spots.size(), expected.size());
  for (std::size_t i = 0; i < spots.size(); ++i) {
    const ReturnSpot wanted{kEntry + expected[i].offset,
                            expected[i].behind,
                            {expected[i].by_rbp, expected[i].distance}};
    EXPECT_EQ(spots[i], wanted) << "spot " << i;
  }
}

TEST(FunctionExits, AReturnAndWhatLeadsStraightToIt) {
  // mov %ebx,%eax; add $24,%rsp; pop %rbx; ret
  const TestCode code({0x89, 0xd8, 0x48, 0x83, 0xc4, 0x18, 0x5b, 0xc3});
  expect_spots(
      code, 0,
      {{0, true, false, 40}, {2, false, false, 40}, {6, false, false, 16}, {7, false, false, 8}});
}

TEST(FunctionExits, LeaveTellsTheFrameByRbp) {
  // push %rbp; mov %rsp,%rbp; mov -4(%rbp),%eax; leave; ret
  const TestCode code({0x55, 0x48, 0x89, 0xe5, 0x8b, 0x45, 0xfc, 0xc9, 0xc3});
  expect_spots(code, 0, {{4, true, true, 16}, {7, false, true, 16}, {8, false, false, 8}});
}

TEST(FunctionExits, WhatIsBranchedToFromElsewhereIsWhereTheWayBackEnds) {
  // test %edi,%edi; je +2; mov %edi,%eax; pop %rbx; ret, the branch to the pop
  const TestCode code({0x85, 0xff, 0x74, 0x02, 0x89, 0xf8, 0x5b, 0xc3});
  expect_spots(code, 0, {{6, false, false, 16}, {7, false, false, 8}});
}

TEST(FunctionExits, ACallBeforeTheReturnIsNotPassed) {
  const TestCode code({0xe8, 0, 0, 0, 0, 0xc3});
  expect_spots(code, 0, {{5, false, false, 8}});
}

TEST(FunctionExits, AVectorRegisterMayBeTheResult) {
  // addsd %xmm1,%xmm0; ret
  const TestCode code({0xf2, 0x0f, 0x58, 0xc1, 0xc3});
  expect_spots(code, 0, {{0, true, false, 8}, {4, false, false, 8}});
}

// What is returned in memory is not there before its last store.
TEST(FunctionExits, AStoreMayBeOfTheResult) {
  // mov %rdi,%rax; movl $77,0x28(%rdi); ret
  const TestCode code({0x48, 0x89, 0xf8, 0xc7, 0x47, 0x28, 0x4d, 0, 0, 0, 0xc3});
  expect_spots(code, 0, {{3, true, false, 8}, {10, false, false, 8}});
}

TEST(FunctionExits, EachReturnIsOne) {
  // test %edi,%edi; je +3; mov %edi,%eax; ret; xor %eax,%eax; ret
  const TestCode code({0x85, 0xff, 0x74, 0x03, 0x89, 0xf8, 0xc3, 0x31, 0xc0, 0xc3});
  EXPECT_EQ(function_exits(code.code).size(), 2U);
}

TEST(FunctionExits, JumpsToOtherFunctionsAreCounted) {
  // test; je +5; jmp far away; jmp to the ret; ret
  const TestCode code({0x85, 0xff, 0x74, 0x05, 0xe9, 0, 0x10, 0, 0, 0xeb, 0x00, 0xc3});
  EXPECT_EQ(count_tail_calls(code.code, {}), 1U);
  const LinkAddress target = kEntry + 9 + 0x1000;
  EXPECT_EQ(count_tail_calls(code.code, {{target, target + 16}}), 0U);
}

TEST(EntryFrame, CountsWhatTheWayFromTheEntryPushes) {
  // push %rbp; mov %rsp,%rbp; sub $16,%rsp; mov %edi,-4(%rbp); leave; ret
  const TestCode code(
      {0x55, 0x48, 0x89, 0xe5, 0x48, 0x83, 0xec, 0x10, 0x89, 0x7d, 0xfc, 0xc9, 0xc3});
  EXPECT_EQ(frame_at_entry(code.code, kEntry), (FrameAt{false, 8}));
  EXPECT_EQ(frame_at_entry(code.code, kEntry + 4), (FrameAt{false, 16}));
  EXPECT_EQ(frame_at_entry(code.code, kEntry + 8), (FrameAt{false, 32}));
}

TEST(EntryFrame, IsNotToldWhereALoopLeadsBack) {
  // dec %edi; jne to the entry; ret
  const TestCode to_entry({0xff, 0xcf, 0x75, 0xfc, 0xc3});
  EXPECT_FALSE(frame_at_entry(to_entry.code, kEntry));
  // push %rbx; dec %edi; jne to the dec; pop %rbx; ret
  const TestCode to_site({0x53, 0xff, 0xcf, 0x75, 0xfc, 0x5b, 0xc3});
  EXPECT_TRUE(frame_at_entry(to_site.code, kEntry));
  EXPECT_FALSE(frame_at_entry(to_site.code, kEntry + 1));
}

TEST(EntryFrame, IsNotToldWhereTheWayDividesOrRspIsLost) {
  // test; je +2; push %rbx; pop %rbx; ret
  const TestCode divides({0x85, 0xff, 0x74, 0x02, 0x53, 0x5b, 0xc3});
  EXPECT_FALSE(frame_at_entry(divides.code, kEntry + 4));
  // and $-32,%rsp; mov %edi,%eax; ret
  const TestCode aligns({0x48, 0x83, 0xe4, 0xe0, 0x89, 0xf8, 0xc3});
  EXPECT_FALSE(frame_at_entry(aligns.code, kEntry + 4));
}

TEST(ReturnPadding, GoesToTheNextBoundary) {
  // mov %edi,%eax; ret, and thirteen bytes of nop
  const TestCode code({0x89, 0xf8, 0xc3},
                      {0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0, 0x0f, 0x1f, 0x00, 0x55, 0xc3});
  EXPECT_EQ(code.code.padding_behind(kEntry + 2), 13U);
}

TEST(ReturnPadding, IsNoneWhereSomethingElseBeginsBeforeTheBoundary) {
  const TestCode code({0x89, 0xf8, 0xc3}, {0x0f, 0x1f, 0x00, 0x55, 0xc3, 0x90, 0x90, 0x90});
  EXPECT_EQ(code.code.padding_behind(kEntry + 2), 0U);
  const TestCode marked({0x89, 0xf8, 0xc3}, {0xf3, 0x0f, 0x1e, 0xfa, 0xc3, 0x90, 0x90, 0x90});
  EXPECT_EQ(marked.code.padding_behind(kEntry + 2), 0U);
}

TEST(ReturnPadding, WithinTheFunctionEndsAtABranchTarget) {
  // test; je +4; ret; nopl (%rax); mov %edi,%eax; ret
  const TestCode code({0x85, 0xff, 0x74, 0x04, 0xc3, 0x0f, 0x1f, 0x00, 0x89, 0xf8, 0xc3});
  EXPECT_EQ(code.code.padding_behind(kEntry + 4), 3U);
}

TEST(ReturnPadding, IsWrittenOverOnlyWhereAllowed) {
  const TestCode code({0x89, 0xf8, 0xc3},
                      {0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0, 0x0f, 0x1f, 0x00, 0x55});
  SiteContext context;
  const auto without = code.choose(2, context);
  ASSERT_TRUE(without);
  EXPECT_EQ(without->changed, 1U);
  context.padding = code.code.padding_behind(kEntry + 2);
  const auto with = code.choose(2, context);
  ASSERT_TRUE(with);
  EXPECT_EQ(with->changed, 5U);
  EXPECT_EQ(with->resume(), kEntry + 3);
}

}  // namespace
}  // namespace nohalt::inline_sites
