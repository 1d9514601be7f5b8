// Values of a caller's variables from its registers and captured bytes alone.
#include "probes/stacks/locals/value.h"

#include <gtest/gtest.h>

#include "tests/unit/locals/made_frame.h"

namespace nohalt::locals {
namespace {

using capture::ValueState;
using symbols::Computed;
using symbols::ImplicitBytes;
using symbols::InPieces;
using symbols::InRegister;
using symbols::Op;
using symbols::OpKind;

TEST(CallersValue, IsReadFromTheCapturedStack) {
  const MadeFrame made({7, 0x1'0000'0009});
  const values::Value value = made.value(variable("n", kInt, above(8)));
  EXPECT_EQ(value.state, ValueState::kExact);
  EXPECT_EQ(value.bits, 9);
  EXPECT_EQ(value.type, "int");
}

TEST(CallersValue, IsReadFromARegisterThatWasRecovered) {
  const MadeFrame made({});
  EXPECT_EQ(made.value(variable("n", kLong, InRegister{kRbx})).bits, 0xb0b);
}

TEST(CallersValue, IsUnavailableInARegisterThatIsLost) {
  const MadeFrame made({});
  const values::Value general = made.value(variable("n", kLong, InRegister{kRdi}));
  EXPECT_EQ(general.state, ValueState::kUnavailable);
  EXPECT_EQ(general.why, "it was in rdi, which calls do not keep");
  EXPECT_FALSE(general.is_there());
  const values::Value vector = made.value(variable("n", kLong, InRegister{18}));
  EXPECT_EQ(vector.why, "it was in xmm1, which calls do not keep");
}

TEST(CallersValue, IsUnavailableWhereItsPlaceNeedsALostRegister) {
  const MadeFrame made({1, 2});
  const Computed computed{{Op{.kind = OpKind::kRegister, .number = kRdi}}};
  EXPECT_EQ(made.value(variable("n", kLong, computed)).state, ValueState::kUnavailable);
}

TEST(CallersValue, IsUnavailableOutsideOfTheCapturedStack) {
  const MadeFrame made({1, 2});
  for (const std::uint64_t distance : {std::uint64_t{16}, std::uint64_t{0} - 8}) {
    const values::Value value = made.value(variable("n", kLong, above(distance)));
    EXPECT_EQ(value.state, ValueState::kUnavailable);
    EXPECT_EQ(value.why, "lies outside of the captured stack");
  }
}

TEST(CallersValue, IsOptimizedOutWhereItHasNoPlace) {
  const MadeFrame made({});
  EXPECT_EQ(made.value(variable("n", kLong, symbols::Unavailable{})).state,
            ValueState::kOptimizedOut);
}

TEST(CallersValue, IsThereAsFarAsTheCaptureWent) {
  const MadeFrame made({5, word_of("secret")});
  const values::Value value = made.value(variable("account", kAccount, above(0)));
  ASSERT_EQ(value.members.size(), 3);
  EXPECT_EQ(value.members[0].second.bits, 5);
  EXPECT_EQ(value.members[2].second.state, ValueState::kUnavailable);
}

TEST(CallersValue, KeepsThePiecesThatAreThereApartFromThoseThatAreLost) {
  const MadeFrame made({});
  InPieces pieces;
  pieces.pieces.push_back({64, 0, {InRegister{kRbx}}});
  pieces.pieces.push_back({64, 0, {InRegister{kRdi}}});
  pieces.pieces.push_back({64, 0, {ImplicitBytes{{1, 0, 0, 0, 0, 0, 0, 0}}}});
  const values::Value value = made.value(variable("account", kAccount, pieces));
  ASSERT_EQ(value.members.size(), 3);
  EXPECT_EQ(value.members[0].second.bits, 0xb0b);
  EXPECT_EQ(value.members[1].second.state, ValueState::kRedacted);
  EXPECT_EQ(value.members[2].second.bits, 1);
}

TEST(CallersValue, FollowsAPointerIntoTheCapturedStack) {
  const MadeFrame made({kStack + 8, word_of("anna")});
  const values::Value value = made.value(variable("name", kCharPointer, above(0)));
  ASSERT_EQ(value.target.size(), 1);
  EXPECT_EQ(value.target[0].text, "anna");
}

TEST(CallersValue, ShowsAPointerOutOfTheCapturedStackAsItsAddress) {
  const MadeFrame made({0x1234'5678});
  for (const symbols::Type* type : {&kCharPointer, &kAccountPointer}) {
    const values::Value value = made.value(variable("to", *type, above(0)));
    EXPECT_EQ(value.state, ValueState::kExact);
    EXPECT_EQ(value.bits, 0x1234'5678);
    EXPECT_TRUE(value.target.empty());
  }
}

TEST(CallersValue, IsNotShownWhereARuleHidesIt) {
  const MadeFrame made({word_of("hunter2"), 1, word_of("hunter2"), 3});
  EXPECT_EQ(made.value(variable("password", kName, above(0))).state, ValueState::kRedacted);
  EXPECT_EQ(made.value(variable("password", kLong, InRegister{kRbx})).state, ValueState::kRedacted);
  const values::Value account = made.value(variable("account", kAccount, above(8)));
  ASSERT_EQ(account.members.size(), 3);
  EXPECT_EQ(account.members[0].second.bits, 1);
  EXPECT_EQ(account.members[1].second.state, ValueState::kRedacted);
  EXPECT_EQ(account.members[2].second.bits, 3);
}

}  // namespace
}  // namespace nohalt::locals
