// Expressions written by hand: what compilers write seldom, and what none should.
#include "probes/symbols/expression.h"

#include <dwarf.h>
#include <gtest/gtest.h>

#include <cstring>

#include "tests/differential/symbols/evaluate.h"

namespace nohalt::symbols {
namespace {

// Operations with the offsets that they have in their expression.
class Expression {
 public:
  Expression& constant(std::int8_t value) {
    return add(DW_OP_const1s, 2, static_cast<Dwarf_Word>(value));
  }
  Expression& plain(std::uint8_t atom) { return add(atom, 1, 0); }
  Expression& to(std::uint8_t atom, std::int16_t distance) {
    return add(atom, 3, static_cast<Dwarf_Word>(distance));
  }
  [[nodiscard]] Location location() const { return translate_expression(ops_, {}); }

 private:
  Expression& add(std::uint8_t atom, Dwarf_Word size, Dwarf_Word number) {
    ops_.push_back({.atom = atom, .number = number, .number2 = 0, .offset = offset_});
    offset_ += size;
    return *this;
  }
  std::vector<Dwarf_Op> ops_;
  Dwarf_Word offset_ = 0;
};

std::int64_t value_of(const Location& location) {
  const auto value = evaluate(location, 8, {});
  EXPECT_TRUE(value);
  std::int64_t number = 0;
  if (value) std::memcpy(&number, value->bytes.data(), sizeof number);
  return number;
}

std::string why_not(const Location& location) {
  const auto* missing = std::get_if<Unavailable>(&location);
  return missing == nullptr ? "" : missing->detail;
}

// As GCC writes the larger of two numbers.
Location larger(std::int8_t left, std::int8_t right) {
  return Expression()
      .constant(left)
      .constant(right)
      .plain(DW_OP_over)
      .plain(DW_OP_over)
      .plain(DW_OP_gt)
      .to(DW_OP_bra, 1)
      .plain(DW_OP_swap)
      .plain(DW_OP_drop)
      .plain(DW_OP_stack_value)
      .location();
}

TEST(Expression, ABranchIsTakenWhereItsConditionHolds) {
  EXPECT_EQ(value_of(larger(3, 5)), 5);
  EXPECT_EQ(value_of(larger(5, 3)), 5);
  EXPECT_EQ(value_of(larger(-5, -3)), -3);
}

// As GCC writes a conditional expression.
Location chosen(std::int8_t condition) {
  return Expression()
      .constant(condition)
      .to(DW_OP_bra, 5)
      .constant(20)
      .to(DW_OP_skip, 2)
      .constant(10)
      .plain(DW_OP_stack_value)
      .location();
}

TEST(Expression, OneOfTwoWaysIsSkipped) {
  EXPECT_EQ(value_of(chosen(1)), 10);
  EXPECT_EQ(value_of(chosen(0)), 20);
}

TEST(Expression, ABranchToTheNextOperationOnlyTakesItsConditionAway) {
  EXPECT_EQ(value_of(Expression()
                         .constant(7)
                         .constant(1)
                         .to(DW_OP_bra, 0)
                         .to(DW_OP_skip, 0)
                         .plain(DW_OP_stack_value)
                         .location()),
            7);
}

TEST(Expression, ALoopIsNotCovered) {
  EXPECT_EQ(why_not(Expression()
                        .constant(7)
                        .plain(DW_OP_dup)
                        .to(DW_OP_bra, -4)
                        .plain(DW_OP_stack_value)
                        .location()),
            "a loop");
}

TEST(Expression, AStackThatDependsOnTheWayIsNotCovered) {
  EXPECT_EQ(why_not(Expression()
                        .constant(7)
                        .constant(1)
                        .to(DW_OP_bra, 2)
                        .constant(9)
                        .plain(DW_OP_stack_value)
                        .location()),
            "a stack that differs by the way taken");
}

TEST(Expression, ABranchIntoAnOperationOrPastTheEndMakesNoSense) {
  for (const int distance : {1, 3, 100}) {
    EXPECT_EQ(why_not(Expression()
                          .constant(7)
                          .constant(1)
                          .to(DW_OP_bra, static_cast<std::int16_t>(distance))
                          .constant(9)
                          .plain(DW_OP_drop)
                          .plain(DW_OP_nop)
                          .location()),
              distance == 3 ? "" : "malformed expression")
        << distance;
  }
}

TEST(Expression, CodeThatNoWayLeadsToMakesNoSense) {
  EXPECT_EQ(why_not(Expression()
                        .constant(7)
                        .to(DW_OP_skip, 4)
                        .constant(1)
                        .constant(2)
                        .plain(DW_OP_stack_value)
                        .location()),
            "malformed expression");
}

}  // namespace
}  // namespace nohalt::symbols
