// Locations that compute: what the program gives is what a plain interpreter of
// the same operations gives, in all that compilers may write and by chance.
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <limits>
#include <random>

#include "probes/capture/capture.h"
#include "probes/language/binder.h"
#include "probes/program/verifier.h"
#include "probes/records/values/decode.h"
#include "tests/differential/symbols/evaluate.h"
#include "tests/unit/capture/stopped_subject.h"
#include "tests/unit/language/fake_scope.h"

namespace nohalt::capture {
namespace {

using symbols::Op;
using symbols::OpKind;
using values::Value;

constexpr auto kLowest = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::min());
constexpr std::uint64_t kMinusOne = ~0ULL;

Op constant(std::uint64_t value) { return {.kind = OpKind::kConstant, .value = value}; }
Op plain(OpKind kind, std::uint64_t value = 0) { return {.kind = kind, .value = value}; }

// The value of a variable that is what the operations leave.
Value captured(const std::vector<Op>& ops, bool has_thread_pointer = true) {
  static test::StoppedSubject subject(SUBJECT_O0, SUBJECT_SOURCE, "work");
  test::FakeScope scope;
  scope.local("x", scope.scalar(symbols::TypeKind::kInteger, "long", 8, true),
              symbols::Computed{ops});
  const auto bound = language::bind_expression("x", scope, {.allow_unavailable = true});
  const auto built = build_capture({.values = {*bound},
                                    .condition = nullptr,
                                    .limits = {},
                                    .bias = subject.bias(),
                                    .redaction = {},
                                    .has_thread_pointer = has_thread_pointer});
  if (!built) {
    ADD_FAILURE() << built.error().message;
    return {};
  }
  EXPECT_TRUE(program::verify(built->program));
  const auto run = subject.run(built->program);
  EXPECT_FALSE(run.execution.violation);
  return values::decode(built->layout, run.body, {subject.pid(), 1})[0].value;
}

// The same by the interpreter; empty where it has no value.
std::string expected(const std::vector<Op>& ops) {
  symbols::MachineState state;
  state.read_memory = [](std::uint64_t, std::span<std::uint8_t>) { return false; };
  const auto value = symbols::evaluate(symbols::Computed{ops}, 8, state);
  if (!value) return "";
  std::int64_t number = 0;
  std::memcpy(&number, value->bytes.data(), sizeof number);
  return std::to_string(number);
}

std::string of_two(OpKind kind, std::uint64_t left, std::uint64_t right) {
  const std::vector<Op> ops{constant(left), constant(right), plain(kind)};
  const Value value = captured(ops);
  EXPECT_EQ(value.state == values::ValueState::kExact ? values::to_text(value) : "", expected(ops));
  return values::to_text(value);
}

TEST(ComputedLocation, DividesAsSignedNumbers) {
  EXPECT_EQ(of_two(OpKind::kDivSigned, 7, 2), "3");
  EXPECT_EQ(of_two(OpKind::kDivSigned, 0ULL - 7, 2), "-3");
  EXPECT_EQ(of_two(OpKind::kDivSigned, 7, 0ULL - 2), "-3");
  EXPECT_EQ(of_two(OpKind::kDivSigned, 0ULL - 7, 0ULL - 2), "3");
}

TEST(ComputedLocation, TheOneQuotientThatDoesNotFitWraps) {
  EXPECT_EQ(of_two(OpKind::kDivSigned, kLowest, kMinusOne), "-9223372036854775808");
  EXPECT_EQ(of_two(OpKind::kDivSigned, kLowest, 1), "-9223372036854775808");
}

TEST(ComputedLocation, WhatIsDividedByZeroHasNoValue) {
  for (const OpKind kind : {OpKind::kDivSigned, OpKind::kModUnsigned}) {
    const Value value = captured({constant(7), constant(0), plain(kind)});
    EXPECT_EQ(value.state, values::ValueState::kUnavailable);
    EXPECT_EQ(value.why, "its location divides by zero");
  }
}

// The subject's first thread is laid out by the C library, whose control block names itself.
TEST(ComputedLocation, TheThreadPointerIsThatOfTheThread) {
  const std::vector<Op> pointer{plain(OpKind::kThreadPointer)};
  const std::vector<Op> named{plain(OpKind::kThreadPointer),
                              constant(16),
                              plain(OpKind::kPlus),
                              {.kind = OpKind::kDereference, .size = 8}};
  const Value value = captured(pointer);
  EXPECT_EQ(value.state, values::ValueState::kExact);
  EXPECT_NE(value.bits, 0U);
  EXPECT_EQ(captured(named).bits, value.bits);
}

TEST(ComputedLocation, WhereAThreadMayNotAskItsVariablesAreUnavailable) {
  const Value value = captured({plain(OpKind::kThreadPointer)}, false);
  EXPECT_EQ(value.state, values::ValueState::kUnavailable);
  EXPECT_NE(value.why.find("this machine"), std::string::npos) << value.why;
}

TEST(ComputedLocation, ShiftsOutAllBits) {
  EXPECT_EQ(of_two(OpKind::kShl, 5, 64), "0");
  EXPECT_EQ(of_two(OpKind::kShr, kMinusOne, 100), "0");
  EXPECT_EQ(of_two(OpKind::kShra, kLowest, 64), "-1");
  EXPECT_EQ(of_two(OpKind::kShra, 5, kMinusOne), "0");
}

// As GCC writes the smaller of two numbers.
std::vector<Op> smaller(std::uint64_t left, std::uint64_t right) {
  return {constant(left),       constant(right),          plain(OpKind::kOver),
          plain(OpKind::kOver), plain(OpKind::kLtSigned), plain(OpKind::kBranch, 1),
          plain(OpKind::kSwap), plain(OpKind::kDrop)};
}

TEST(ComputedLocation, TakesTheWayThatItsBranchesLead) {
  EXPECT_EQ(values::to_text(captured(smaller(3, 5))), "3");
  EXPECT_EQ(values::to_text(captured(smaller(5, 3))), "3");
  EXPECT_EQ(values::to_text(captured(smaller(kMinusOne, 3))), "-1");
}

TEST(ComputedLocation, WhatIsPassedOverDoesNotHappen) {
  const auto guarded = [](std::uint64_t divisor) {
    return captured({constant(divisor), plain(OpKind::kBranch, 2), constant(9),
                     plain(OpKind::kSkip, 3), constant(12), constant(divisor),
                     plain(OpKind::kDivSigned)});
  };
  EXPECT_EQ(values::to_text(guarded(0)), "9");
  EXPECT_EQ(values::to_text(guarded(4)), "3");
}

class Chance {
 public:
  explicit Chance(std::uint32_t seed) : random_(seed) {}

  // Operations that leave one entry more.
  std::vector<Op> value(int depth) {
    if (depth == 0 || pick(6) == 0) return {constant(kNumbers[pick(kNumbers.size())])};
    std::vector<Op> ops = value(depth - 1);
    const auto append = [&](const std::vector<Op>& more) {
      ops.insert(ops.end(), more.begin(), more.end());
    };
    switch (pick(5)) {
      case 0:
        append({{.kind = kUnary[pick(kUnary.size())], .size = static_cast<std::uint8_t>(pick(9))}});
        return ops;
      case 1: {
        const auto yes = value(depth - 1);
        auto no = value(depth - 1);
        no.push_back(plain(OpKind::kSkip, yes.size()));
        append({plain(OpKind::kBranch, no.size())});
        append(no);
        append(yes);
        return ops;
      }
      case 2:
        append(value(depth - 1));
        append(value(depth - 1));
        append({plain(OpKind::kRot), plain(OpKind::kPick, pick(3)), plain(OpKind::kSwap),
                plain(OpKind::kDrop), plain(OpKind::kMinus), plain(OpKind::kXor)});
        return ops;
      default:
        append(value(depth - 1));
        append({plain(kBinary[pick(kBinary.size())])});
        return ops;
    }
  }

 private:
  std::size_t pick(std::size_t count) { return random_() % count; }

  static constexpr std::array<std::uint64_t, 9> kNumbers{0,  1,         2,       5,   63,
                                                         64, kMinusOne, kLowest, 1000};
  static constexpr std::array kUnary{OpKind::kNot, OpKind::kNeg, OpKind::kAbs,
                                     OpKind::kConvertSigned, OpKind::kConvertUnsigned};
  static constexpr std::array kBinary{
      OpKind::kPlus,      OpKind::kMinus,       OpKind::kMul,     OpKind::kAnd,  OpKind::kOr,
      OpKind::kXor,       OpKind::kShl,         OpKind::kShr,     OpKind::kShra, OpKind::kDivSigned,
      OpKind::kDivSigned, OpKind::kModUnsigned, OpKind::kEq,      OpKind::kNe,   OpKind::kLtSigned,
      OpKind::kLeSigned,  OpKind::kGtSigned,    OpKind::kGeSigned};
  std::mt19937 random_;
};

TEST(ComputedLocation, GivesWhatItsOperationsGive) {
  int with_value = 0;
  for (std::uint32_t seed = 1; seed <= 1000; ++seed) {
    const std::vector<Op> ops = Chance(seed).value(4);
    const Value value = captured(ops);
    const bool exact = value.state == values::ValueState::kExact;
    ASSERT_EQ(exact ? values::to_text(value) : "", expected(ops)) << seed;
    with_value += exact ? 1 : 0;
  }
  EXPECT_GT(with_value, 500);
}

}  // namespace
}  // namespace nohalt::capture
