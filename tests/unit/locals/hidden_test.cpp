// What a rule hides in one frame is hidden from the variables of all.
#include "probes/stacks/locals/hidden.h"

#include <gtest/gtest.h>

#include "tests/unit/locals/made_frame.h"

namespace nohalt::locals {
namespace {

using capture::ValueState;

std::vector<RuntimeRange> hidden(MadeFrame& made, const symbols::Variable& variable) {
  auto ranges = hidden_ranges(std::span(&variable, 1), made.frame(), hides_password, made.memory());
  for (const RuntimeRange& range : ranges) made.memory().hide(range);
  return ranges;
}

TEST(HiddenRanges, AreThoseOfAVariableThatARuleHides) {
  MadeFrame made({1, word_of("hunter2"), 3});
  EXPECT_EQ(hidden(made, variable("password", kName, above(8))),
            (std::vector<RuntimeRange>{{{kStack + 8}, {kStack + 16}}}));
  EXPECT_TRUE(hidden(made, variable("name", kName, above(8))).empty());
}

TEST(HiddenRanges, AreThoseOfAHiddenMember) {
  MadeFrame made({1, word_of("hunter2"), 3});
  EXPECT_EQ(hidden(made, variable("account", kAccount, above(0))),
            (std::vector<RuntimeRange>{{{kStack + 8}, {kStack + 16}}}));
}

TEST(HiddenRanges, AreNotReadUnderAnotherName) {
  MadeFrame made({kStack + 8, word_of("hunter2"), 3});
  EXPECT_EQ(hidden(made, variable("password", kName, above(8))).size(), 1);
  const values::Value text = made.value(variable("text", kCharPointer, above(0)));
  ASSERT_EQ(text.target.size(), 1);
  EXPECT_EQ(text.target[0].state, ValueState::kRedacted);
  EXPECT_EQ(made.value(variable("copy", kLong, above(8))).state, ValueState::kRedacted);
}

TEST(HiddenRanges, LeaveWhatLiesBesideThem) {
  MadeFrame made({kStack + 16, word_of("hunter2"), word_of("anna"), 3});
  EXPECT_EQ(hidden(made, variable("password", kName, above(8))).size(), 1);
  const values::Value text = made.value(variable("text", kCharPointer, above(0)));
  ASSERT_EQ(text.target.size(), 1);
  EXPECT_EQ(text.target[0].text, "anna");
}

}  // namespace
}  // namespace nohalt::locals
