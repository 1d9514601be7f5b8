// Where a probe goes when the statement's first instruction will not do, and
// what of the process is known to be kept free.
#include "probes/engines/inline/planner.h"

#include <gtest/gtest.h>

#include "tests/unit/inline/debuggee.h"

namespace nohalt::engines {
namespace {

class Planner : public testing::Test {
 protected:
  void SetUp() override {
    auto looked = look_at(debuggee_.process(), debuggee_.info());
    ASSERT_TRUE(looked) << looked.error().message;
    view_ = std::move(*looked);
  }

  // Room only where no jump over two bytes of the debuggee's leads: their third
  // and later bytes are those of `mov $7, %ecx`.
  void take_near_room() {
    const RuntimeAddress text = view_.executable.bias.to_runtime({0});
    const RuntimeAddress free = text + (64ULL << 20);
    inline_placement::SpaceInput input;
    input.mapped = {{{0}, free}, {free + (64ULL << 20), {1ULL << 47}}};
    view_.space = inline_placement::AddressSpace(input);
  }

  ChosenSite choose(const std::string& function) {
    auto chosen = choose_site(view_, debuggee_.info(), debuggee_.site(function), {});
    EXPECT_TRUE(chosen) << chosen.error().message;
    return chosen ? std::move(*chosen) : ChosenSite{};
  }

  Debuggee debuggee_;
  TargetView view_;
};

TEST_F(Planner, TakesTheFirstInstructionAndListsIt) {
  const ChosenSite site = choose("changed");
  EXPECT_EQ(site.plan.patched, site.plan.pc);
  EXPECT_EQ(site.plan.window, "punned");
  EXPECT_EQ(site.plan.listing, "incl %edi");
}

TEST_F(Planner, MovesOnWithinTheStatementWhereTheSameIsSeen) {
  take_near_room();
  const ChosenSite site = choose("moved");
  ASSERT_TRUE(site.plan.patchable()) << site.plan.refusal;
  EXPECT_EQ(site.plan.patched, site.plan.pc + 2);
  EXPECT_EQ(site.plan.window, "one-instruction");
  EXPECT_EQ(site.plan.listing, "movl $7, %ecx");
}

TEST_F(Planner, StaysRefusedWhereAValueChangesOnTheWay) {
  take_near_room();
  const ChosenSite site = choose("changed");
  EXPECT_FALSE(site.plan.patchable());
  EXPECT_FALSE(site.plan.refusal.empty());
}

TEST_F(Planner, KeepsOutOfRestartableSequences) {
  const ChosenSite site = choose("restartable");
  EXPECT_EQ(site.plan.refusal, "restartable-sequence");
  ASSERT_EQ(view_.traits.restartable_sequences.size(), 2U);
  EXPECT_EQ(view_.traits.restartable_sequences[0], (LinkRange{site.plan.pc, site.plan.pc + 5}));
  EXPECT_EQ(view_.traits.restartable_sequences[1].size(), 4U);
}

}  // namespace
}  // namespace nohalt::engines
