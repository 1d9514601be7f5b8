// What a core file may be told: values that are shown, the words that lead to them, and
// no byte of what is hidden, wherever it is kept.
#include "probes/stacks/locals/disclosure.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "tests/unit/locals/made_frame.h"

namespace nohalt::locals {
namespace {

using stacks::Origin;

bool everything(const values::Value&) { return true; }

// The made frame as the only one of a stack: rbx is still in its register, rbp was saved
// in the stack's third word.
class DisclosureTest : public testing::Test {
 protected:
  DisclosureTest() : made_({1, word_of("hunter2"), word_of("anna"), 0x404}) {
    stacks::Frame frame = made_.frame();
    frame.pc = {0x401000};
    frame.registers[stacks::kRbp] = word_of("anna");
    frame.origins[kRbx] = {Origin::Kind::kRegister, kRbx};
    frame.origins[stacks::kRsp] = {Origin::Kind::kRegister, stacks::kRsp};
    frame.origins[stacks::kRbp] = {Origin::Kind::kStack, kStack + 16};
    unwound_.frames.push_back(std::move(frame));
    unwound_.guides = {{Origin::Kind::kRegister, stacks::kRsp}};
  }

  Disclosure disclosure() { return {unwound_, {}, made_.memory()}; }
  void tell(Disclosure& to, const symbols::Variable& variable) {
    const stacks::Frame& frame = unwound_.frames[0];
    const ValueRecord record = record_of(variable, frame, made_.memory(), {{}, hides_password});
    to.tell(variable.location, 0,
            values::place(record.node, to.address_of(variable.location, 0), record.body, 20,
                          everything));
  }
  static std::string text_of(const Disclosure& disclosure) {
    std::string all;
    for (const auto& segment : disclosure.memory())
      for (const std::byte byte : segment.bytes) all += static_cast<char>(byte);
    return all;
  }
  static std::uint64_t word(const ToldRegister<8>& told) {
    std::uint64_t word = 0;
    std::memcpy(&word, told.bytes.data(), sizeof word);
    return word;
  }
  static constexpr std::uint64_t kMarked = 0x2a2a'2a2a'2a2a'2a2a;

  MadeFrame made_;
  stacks::Unwound unwound_;
};

TEST_F(DisclosureTest, TellsOfRegistersOnlyThoseThatLeadOn) {
  const auto registers = disclosure().registers();
  EXPECT_EQ(word(registers[stacks::kRsp]), kStack);
  EXPECT_EQ(word(registers[stacks::kPc]), 0x401000);
  EXPECT_EQ(word(registers[kRbx]), kMarked);
}

TEST_F(DisclosureTest, TellsTheBytesOfAVariableAndNoOthers) {
  Disclosure told = disclosure();
  tell(told, variable("name", kName, above(16)));
  const auto memory = told.memory();
  ASSERT_EQ(memory.size(), 1);
  EXPECT_EQ(memory[0].begin.value, kStack + 16);
  EXPECT_EQ(memory[0].bytes.size(), 8);
}

TEST_F(DisclosureTest, TellsOfARegisterWhatTheVariableTakesOfIt) {
  Disclosure told = disclosure();
  tell(told, variable("n", kInt, symbols::InRegister{kRbx}));
  EXPECT_EQ(word(told.registers()[kRbx]), 0x2a2a'2a2a'0000'0b0b);
}

TEST_F(DisclosureTest, TellsTheWordThatARegisterWasSavedIn) {
  Disclosure told = disclosure();
  tell(told, variable("n", kLong, symbols::InRegister{stacks::kRbp}));
  const auto memory = told.memory();
  ASSERT_EQ(memory.size(), 1);
  EXPECT_EQ(memory[0].begin.value, kStack + 16);
  EXPECT_EQ(text_of(told).substr(0, 4), "anna");
}

TEST_F(DisclosureTest, MarksAHiddenMemberOfWhatItTells) {
  Disclosure told = disclosure();
  tell(told, variable("account", kAccount, above(0)));
  EXPECT_EQ(text_of(told).substr(8, 12), "********anna");
  EXPECT_EQ(text_of(told).find("hunter"), std::string::npos);
}

TEST_F(DisclosureTest, TellsNothingOfAHiddenVariable) {
  Disclosure told = disclosure();
  tell(told, variable("password", kName, above(8)));
  EXPECT_TRUE(told.memory().empty());
}

TEST_F(DisclosureTest, HidesUnderEachName) {
  Disclosure told = disclosure();
  told.hide(RuntimeRange{{kStack + 8}, {kStack + 16}});
  tell(told, variable("copy", kName, above(8)));
  EXPECT_EQ(text_of(told), "********");
}

TEST_F(DisclosureTest, HidesARegisterWhereItIsKept) {
  Disclosure told = disclosure();
  tell(told, variable("n", kLong, symbols::InRegister{kRbx}));
  tell(told, variable("m", kLong, symbols::InRegister{stacks::kRbp}));
  told.hide({kRbx, false}, 0);
  told.hide({stacks::kRbp, false}, 0);
  EXPECT_EQ(word(told.registers()[kRbx]), kMarked);
  EXPECT_EQ(text_of(told), "********");
}

TEST_F(DisclosureTest, KeepsTheWayToOtherFramesWhereAHiddenValueIsOnlyAnAddress) {
  Disclosure told = disclosure();
  told.hide({stacks::kRsp, true}, 0);
  EXPECT_EQ(word(told.registers()[stacks::kRsp]), kStack);
}

TEST(HiddenRegisters, AreThoseThatHoldAHiddenValueOrMakeItUp) {
  MadeFrame frame({1, 2, 3});
  const std::vector<symbols::Variable> all = {
      variable("password", kLong, symbols::InRegister{kRbx}),
      variable("password_length", kLong,
               symbols::Computed{{{.kind = symbols::OpKind::kRegister, .number = kRdi}}}),
      variable("count", kLong, symbols::InRegister{stacks::kRbp})};
  const auto hidden = hidden_registers(all, frame.frame(), hides_password, frame.memory());
  ASSERT_EQ(hidden.size(), 2);
  EXPECT_EQ(hidden[0].number, kRbx);
  EXPECT_FALSE(hidden[0].is_computed_from);
  EXPECT_EQ(hidden[1].number, kRdi);
  EXPECT_TRUE(hidden[1].is_computed_from);
}

}  // namespace
}  // namespace nohalt::locals
