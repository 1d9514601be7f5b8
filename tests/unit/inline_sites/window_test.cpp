// The choice of windows: order, contents, and what it may not touch.

#include "probes/engines/inline/sites/window.h"

#include <gtest/gtest.h>

#include "tests/unit/inline_sites/code.h"

namespace nohalt::inline_sites {
namespace {

TEST(Window, PrefersAPlainJumpOverOneInstruction) {
  const TestCode code({0x48, 0xc7, 0xc0, 1, 0, 0, 0, 0xc3});
  const auto window = code.choose();
  ASSERT_TRUE(window);
  EXPECT_EQ(window->kind, WindowKind::kJump);
  EXPECT_EQ(window->changed, 5);
  EXPECT_EQ(window->relied, 5);
  ASSERT_EQ(window->displaced.size(), 1U);
  EXPECT_EQ(window->resume(), kEntry + 7);
}

TEST(Window, PunsOverAShortInstructionWithoutTouchingTheNext) {
  const TestCode code({0x48, 0x89, 0xc3, 0x48, 0x89, 0xd1, 0xc3});
  const auto window = code.choose();
  ASSERT_TRUE(window);
  EXPECT_EQ(window->kind, WindowKind::kPunnedJump);
  EXPECT_EQ(window->changed, 3);
  EXPECT_GE(window->relied, 5);
  EXPECT_EQ(window->resume(), kEntry + 3);
}

TEST(Window, PunsEvenOverOneByte) {
  const TestCode code({0x55, 0x48, 0x89, 0xe5, 0xc3});
  const auto window = code.choose();
  ASSERT_TRUE(window);
  EXPECT_EQ(window->changed, 1);
}

TEST(Window, KeepsOnlyTheFormsThatHaveRoom) {
  const TestCode code({0x48, 0x89, 0xc3, 0x48, 0x89, 0xd1, 0xc3});
  SiteContext context;
  context.placeable = [](const JumpForm& form, LinkAddress) { return form.prefix_count == 1; };
  const auto window = code.choose(0, context);
  ASSERT_TRUE(window);
  ASSERT_EQ(window->forms.size(), 1U);
  EXPECT_EQ(window->forms[0].prefix_count, 1);
  EXPECT_EQ(window->relied, 6);
}

TEST(Window, NeedsNoKnowledgeOfTheRestOfTheFunction) {
  TestCode code({0x48, 0x89, 0xc3, 0xff, 0xe0, 0x06, 0x06, 0x06});  // then an unknown jump, junk
  EXPECT_TRUE(code.choose());
}

TEST(Window, DisplacesReturnsJumpsAndCalls) {
  EXPECT_ALLOWED(refusal_at(TestCode({0xc3})));
  EXPECT_ALLOWED(refusal_at(TestCode({0xeb, 0xfe})));
  EXPECT_ALLOWED(refusal_at(TestCode({0x74, 0x00, 0xc3})));
  EXPECT_ALLOWED(refusal_at(TestCode({0xe3, 0x00, 0xc3})));
  EXPECT_ALLOWED(refusal_at(TestCode({0xff, 0xd0, 0xc3})));
  EXPECT_ALLOWED(refusal_at(TestCode({0xff, 0x15, 0, 0, 0, 0, 0xc3})));
}

TEST(Window, LetsTwoPunsShareTheBytesThatBothOnlyRead) {
  const TestCode code({0x48, 0x89, 0xc3, 0x48, 0x89, 0xd1, 0x90, 0x90, 0xc3});
  const ProbeBytes before{{kEntry - 4, kEntry - 1}, {kEntry - 4, kEntry}};
  SiteContext context;
  context.other_probes = std::span(&before, 1);
  EXPECT_TRUE(code.choose(0, context));
}

// --- several instructions, under a stop ---

// Nothing free lies where borrowed bytes would lead.
SiteContext only_whole_jumps() {
  SiteContext context;
  context.placeable = [](const JumpForm& form, LinkAddress) { return form.free_bytes == 4; };
  context.allow_eviction = true;
  context.allow_stop = true;
  return context;
}

int several_at(const TestCode& code, const SiteContext& context = only_whole_jumps()) {
  const auto window = code.choose(0, context);
  EXPECT_TRUE(!window || window->kind == WindowKind::kSeveral);
  return window ? -1 : static_cast<int>(window.error());
}

constexpr std::initializer_list<std::uint8_t> kTwoMoves = {0x48, 0x89, 0xc3, 0x48,
                                                           0x89, 0xd1, 0xc3};

TEST(SeveralInstructions, AreCoveredWhole) {
  const TestCode code(kTwoMoves);
  const auto window = code.choose(0, only_whole_jumps());
  ASSERT_TRUE(window);
  EXPECT_EQ(window->kind, WindowKind::kSeveral);
  EXPECT_EQ(window->displaced.size(), 2U);
  EXPECT_EQ(window->resume(), kEntry + 6);
  EXPECT_EQ(window->probe_bytes().changed, (LinkRange{kEntry, kEntry + 6}));
}

TEST(SeveralInstructions, AreCoveredOnlyWhereAStopIsAllowed) {
  SiteContext context = only_whole_jumps();
  context.allow_stop = false;
  EXPECT_REFUSED(several_at(TestCode(kTwoMoves), context), kNoTrampolineRoom);
}

TEST(SeveralInstructions, AreLeftAloneWhereOneWillDo) {
  SiteContext context = only_whole_jumps();
  context.placeable = {};
  EXPECT_EQ(TestCode(kTwoMoves).choose(0, context)->kind, WindowKind::kPunnedJump);
}

TEST(SeveralInstructions, MayEndWithACallOrABranch) {
  EXPECT_ALLOWED(several_at(TestCode({0x48, 0x89, 0xc3, 0xff, 0xd0, 0xc3})));
  EXPECT_ALLOWED(several_at(TestCode({0x48, 0x89, 0xc3, 0x75, 0xfb, 0xc3})));
  EXPECT_ALLOWED(several_at(TestCode({0x48, 0x89, 0xc3, 0xeb, 0xfb})));
}

TEST(SeveralInstructions, MayBranchBetween) {
  EXPECT_ALLOWED(several_at(TestCode({0x89, 0xc3, 0x75, 0x02, 0x89, 0xd1, 0xc3})));
}

TEST(SeveralInstructions, ACallInTheMiddleWouldReturnIntoTheJump) {
  EXPECT_REFUSED(several_at(TestCode({0x89, 0xc3, 0xff, 0xd0, 0x89, 0xd1, 0xc3})), kCallNotLast);
}

TEST(SeveralInstructions, NothingMayBranchBetweenThem) {
  EXPECT_REFUSED(several_at(TestCode({0x48, 0x89, 0xc3, 0x48, 0x89, 0xd1, 0x75, 0xfb, 0xc3})),
                 kBranchIntoWindow);
  EXPECT_ALLOWED(several_at(TestCode({0x48, 0x89, 0xc3, 0x48, 0x89, 0xd1, 0x75, 0xf8, 0xc3})));
}

TEST(SeveralInstructions, NoExceptionMayLandBetweenThem) {
  TestCode code(kTwoMoves);
  code.input.branch_targets = {kEntry + 3};
  code.decode_again();
  EXPECT_REFUSED(several_at(code), kBranchIntoWindow);
}

TEST(SeveralInstructions, AllBranchesMustBeKnown) {
  EXPECT_REFUSED(several_at(TestCode({0x48, 0x89, 0xc3, 0x48, 0x89, 0xd1, 0xff, 0xe0})),
                 kUnknownBranches);
  EXPECT_REFUSED(several_at(TestCode({0x48, 0x89, 0xc3, 0x48, 0x89, 0xd1, 0xc3, 0x06})),
                 kUnknownBranches);
  TestCode elsewhere(kTwoMoves);
  elsewhere.input.may_be_entered_elsewhere = true;
  elsewhere.decode_again();
  EXPECT_REFUSED(several_at(elsewhere), kUnknownBranches);
}

TEST(SeveralInstructions, EachMustBearBeingMoved) {
  EXPECT_REFUSED(several_at(TestCode({0x89, 0xc3, 0x0f, 0x05, 0x89, 0xd1, 0xc3})), kSystemCall);
  EXPECT_REFUSED(several_at(TestCode({0x89, 0xc3, 0xcc, 0x89, 0xd1, 0xc3})), kTrap);
  EXPECT_REFUSED(several_at(TestCode({0x89, 0xc3, 0xf0, 0xff, 0x07, 0xc3})), kLock);
  EXPECT_REFUSED(several_at(TestCode({0x89, 0xc3, 0x9d, 0x89, 0xd1, 0xc3})), kExceptionMasking);
  EXPECT_REFUSED(several_at(TestCode({0x89, 0xc3, 0x62, 0xf1, 0x7c, 0x48, 0x28, 0xc1, 0x90, 0xc3})),
                 kEvex);
  EXPECT_REFUSED(several_at(TestCode({0x89, 0xc3, 0xf4, 0x89, 0xd1, 0xc3})), kPrivileged);
}

TEST(SeveralInstructions, NoneMayLieInARestartableSequence) {
  SiteContext context = only_whole_jumps();
  context.target.restartable_sequences = {{kEntry + 4, kEntry + 20}};
  EXPECT_REFUSED(several_at(TestCode(kTwoMoves), context), kRestartableSequence);
}

TEST(SeveralInstructions, NoneMayFaultWhereAHandlerMayKnowItsPlace) {
  SiteContext context = only_whole_jumps();
  context.target.handles_memory_faults = true;
  EXPECT_REFUSED(several_at(TestCode({0x48, 0x89, 0xc3, 0x48, 0x8b, 0x0a, 0xc3}), context),
                 kMemoryFaultHandler);
}

TEST(SeveralInstructions, TheJumpLiesOnOnePage) {
  const TestCode code(kTwoMoves, {0xcc, 0xcc, 0xcc, 0xcc}, kEntry + 0xffc);
  EXPECT_REFUSED(several_at(code), kCrossesPage);
}

TEST(SeveralInstructions, ControlMustGoThroughAll) {
  EXPECT_REFUSED(several_at(TestCode({0x89, 0xc3, 0xc3})), kWindowTooShort);
  EXPECT_REFUSED(several_at(TestCode({0xc3})), kWindowTooShort);
}

TEST(SeveralInstructions, ReachNoOtherProbe) {
  const ProbeBytes inside{{kEntry + 5, kEntry + 6}, {kEntry + 5, kEntry + 10}};
  SiteContext context = only_whole_jumps();
  context.other_probes = std::span(&inside, 1);
  EXPECT_REFUSED(several_at(TestCode(kTwoMoves), context), kOtherProbe);
}

TEST(SeveralInstructions, BorrowBytesWhereThereAreTooFew) {
  SiteContext context = only_whole_jumps();
  context.placeable = [](const JumpForm& form, LinkAddress) { return form.free_bytes == 3; };
  const TestCode code({0x89, 0xc3, 0xff, 0xd0, 0x89, 0xd1, 0xc3});
  const auto window = code.choose(0, context);
  ASSERT_TRUE(window);
  EXPECT_EQ(window->kind, WindowKind::kSeveral);
  EXPECT_EQ(window->displaced.size(), 2U);
  EXPECT_EQ(window->changed, 4);
  EXPECT_EQ(window->relied, 5);
}

}  // namespace
}  // namespace nohalt::inline_sites
