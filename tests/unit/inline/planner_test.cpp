// Where a probe goes when the statement's first instruction will not do, what of
// the process is known to be kept free, and that nothing goes where no room is.
#include "probes/engines/inline/planner.h"

#include <gtest/gtest.h>

#include "probes/engines/inline/code_image.h"
#include "probes/engines/inline/pages/written_text.h"
#include "tests/unit/inline/debuggee.h"

namespace nohalt::engines {
namespace {

class Planner : public testing::Test {
 protected:
  void SetUp() override {
    auto looked = look_at(debuggee_.process(), debuggee_.files());
    ASSERT_TRUE(looked) << looked.error().message;
    view_ = std::move(*looked);
  }

  ChosenSite choose(const std::string& function, std::span<const TakenBytes> taken = {}) {
    auto chosen = choose_site(view_, 0, debuggee_.site(function), taken);
    EXPECT_TRUE(chosen) << chosen.error().message;
    return chosen ? std::move(*chosen) : ChosenSite{};
  }

  // As if another probe sat on the function's first instruction, of two bytes.
  ChosenSite choose_beside(const std::string& function) {
    const LinkAddress pc = debuggee_.site(function).pc;
    const TakenBytes first{0, {{pc, pc + 2}, {pc, pc + 2}}};
    return choose(function, {&first, 1});
  }

  Debuggee debuggee_;
  TargetView view_;
};

TEST_F(Planner, TakesTheFirstInstructionAndListsIt) {
  const ChosenSite site = choose("changed");
  EXPECT_EQ(site.plan.patched, site.plan.pc);
  EXPECT_EQ(site.plan.listing, "incl %edi");
}

TEST_F(Planner, MovesOnWithinTheStatementWhereTheSameIsSeen) {
  const ChosenSite site = choose_beside("moved");
  ASSERT_TRUE(site.plan.patchable()) << site.plan.refusal;
  EXPECT_EQ(site.plan.patched, site.plan.pc + 2);
  EXPECT_EQ(site.plan.window, "one-instruction");
  EXPECT_EQ(site.plan.listing, "movl $7, %ecx");
}

TEST_F(Planner, StaysRefusedWhereAValueChangesOnTheWay) {
  EXPECT_EQ(choose_beside("changed").plan.refusal, "other-probe");
}

TEST_F(Planner, ARunWithoutFreeAddressesNearTheTextIsRefused) {
  program::Program program;
  const CodeSite site{choose_beside("moved"), &program, 0};
  ASSERT_TRUE(site.chosen.window);
  EXPECT_TRUE(place_run(view_, {&site, 1}, kPageSize));
  inline_placement::SpaceInput full;
  full.mapped = {{{0}, {inline_placement::kUserSpaceEnd}}};
  view_.space = inline_placement::AddressSpace(full);
  EXPECT_EQ(place_run(view_, {&site, 1}, kPageSize).error().reason, "no-room");
}

TEST_F(Planner, KeepsOutOfRestartableSequences) {
  const ChosenSite site = choose("restartable");
  EXPECT_EQ(site.plan.refusal, "restartable-sequence");
  ASSERT_EQ(view_.images.front().restartable_sequences.size(), 2U);
  EXPECT_EQ(view_.images.front().restartable_sequences[0],
            (LinkRange{site.plan.pc, site.plan.pc + 5}));
  EXPECT_EQ(view_.images.front().restartable_sequences[1].size(), 4U);
}

TEST_F(Planner, ALibraryThatMayBeUnloadedTakesAStop) {
  EXPECT_FALSE(choose("changed").plan.needs_stop);
  view_.images.front().is_lasting = false;
  const ChosenSite refused = choose("changed");
  EXPECT_EQ(refused.plan.refusal, "may-be-unloaded");
  EXPECT_NE(refused.plan.refusal_hint.find("--allow-stop"), std::string::npos);
  EXPECT_FALSE(refused.window);
  const auto site = choose_site(view_, 0, debuggee_.site("changed"), {}, StopRule::kWhereNeeded);
  ASSERT_TRUE(site);
  EXPECT_TRUE(site->plan.patchable());
  EXPECT_TRUE(site->plan.needs_stop);
  EXPECT_EQ(site->plan.window, "punned");
}

TEST_F(Planner, OnlyWhatMayBeUnloadedIsWrittenInPlace) {
  program::Program program;
  for (const bool is_lasting : {true, false}) {
    view_.images.front().is_lasting = is_lasting;
    auto chosen = choose_site(view_, 0, debuggee_.site("changed"), {}, StopRule::kWhereNeeded);
    ASSERT_TRUE(chosen);
    const CodeSite site{std::move(*chosen), &program, 0};
    const auto places = place_run(view_, {&site, 1}, kPageSize);
    ASSERT_TRUE(places);
    ASSERT_EQ(places->slots.size(), 1U);
    EXPECT_EQ(places->slots[0] == inline_pages::kWrittenInPlace, !is_lasting);
  }
}

}  // namespace
}  // namespace nohalt::engines
