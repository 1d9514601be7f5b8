// Where a probe goes when the statement's first instruction will not do, what of
// the process is known to be kept free, and that nothing goes where no room is.
#include "probes/engines/inline/planner.h"

#include <gtest/gtest.h>

#include "probes/engines/inline/code_image.h"
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

TEST_F(Planner, ALibraryThatMayBeUnloadedIsRefused) {
  ASSERT_TRUE(choose("changed").plan.patchable());
  view_.images.front().is_lasting = false;
  EXPECT_EQ(choose("changed").plan.refusal, "may-be-unloaded");
}

}  // namespace
}  // namespace nohalt::engines
