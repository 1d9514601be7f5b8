// C++ values against a real process: std::string, references, this.
#include <gtest/gtest.h>

#include "probes/capture/capture.h"
#include "probes/language/binder.h"
#include "probes/records/values/decode.h"
#include "probes/records/values/hex.h"
#include "tests/unit/capture/stopped_subject.h"

namespace nohalt::capture {
namespace {

using test::StoppedSubject;
using values::Value;

StoppedSubject& subject(bool optimised) {
  static StoppedSubject plain(SUBJECT_CPP_O0, SUBJECT_CPP_SOURCE, "process");
  static StoppedSubject fast(SUBJECT_CPP_O2, SUBJECT_CPP_SOURCE, "process");
  return optimised ? fast : plain;
}

class CppCaptureTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override { ASSERT_TRUE(stopped_.ready()); }
  Value captured(const std::string& text, Redaction hidden = {}) {
    const auto bound =
        language::bind_expression(text, stopped_.scope(), {.allow_unavailable = true});
    if (!bound) {
      ADD_FAILURE() << bound.error().message;
      return {};
    }
    const auto built = build_capture({{*bound}, nullptr, {}, stopped_.bias(), std::move(hidden)});
    if (!built) {
      ADD_FAILURE() << text << ": " << built.error().message;
      return {};
    }
    run_ = stopped_.run(built->program);
    EXPECT_FALSE(run_.execution.violation) << text;
    return values::decode(built->layout, run_.body, {})[0].value;
  }
  void expect_text(const std::string& expression, const std::string& wanted) {
    const Value value = captured(expression);
    const bool gone = GetParam() && value.state == ValueState::kOptimizedOut;
    if (!gone) {
      EXPECT_EQ(values::to_text(value), wanted) << expression;
    }
  }
  program::Outcome decided(const std::string& condition) {
    const auto bound = language::bind_condition(condition, stopped_.scope(), {});
    if (!bound) {
      ADD_FAILURE() << bound.error().message;
      return {};
    }
    const auto built = build_capture({{}, *bound, {}, stopped_.bias(), {}});
    if (!built) {
      ADD_FAILURE() << built.error().message;
      return {};
    }
    return static_cast<program::Outcome>(stopped_.run(built->program).execution.result);
  }
  StoppedSubject& stopped_ = subject(GetParam());
  StoppedSubject::Run run_;
};

INSTANTIATE_TEST_SUITE_P(Compiled, CppCaptureTest, testing::Bool(),
                         [](const auto& mode) { return mode.param ? "optimised" : "plain"; });

TEST_P(CppCaptureTest, reads_strings_and_references) {
  expect_text("local", "\"a local string that is long enough to live on the heap\"");
  expect_text("small", "\"tiny\"");
  expect_text("empty", "\"\"");
  expect_text("counter", "9");
  expect_text("item.name", "\"a lamp\"");
  expect_text("item.price", "2.25");
  expect_text("item", "{name = \"a lamp\", price = 2.25}");
  expect_text("len(note)", "300");
  const Value note = captured("note");
  if (!GetParam() || note.is_there()) {
    EXPECT_EQ(note.state, ValueState::kTruncated);
    EXPECT_EQ(note.text, std::string(256, 'x'));
  }
}

TEST_P(CppCaptureTest, reads_members_through_this) {
  expect_text("customer_", "\"bob\"");
  expect_text("status_", "kPaid");
  expect_text("best_.name", "\"best item\"");
  expect_text("other_->name", "\"best item\"");
  expect_text("id", "17");
  expect_text("this->id", "17");
  expect_text("((shop::Order *)entity)->customer_", "\"bob\"");
  const std::string whole = values::to_text(captured("*this"));
  for (const std::string part :
       {"customer_ = \"bob\"", "id = 17", "best_ = {name = \"best item\""}) {
    EXPECT_NE(whole.find(part), std::string::npos) << part << " in " << whole;
  }
}

TEST_P(CppCaptureTest, compares_strings_in_the_program) {
  using program::Outcome;
  EXPECT_EQ(decided("customer_ == \"bob\""), Outcome::kCommitted);
  EXPECT_EQ(decided("customer_ != \"bob\""), Outcome::kNoMatch);
  EXPECT_EQ(decided("customer_ == \"bobby\""), Outcome::kNoMatch);
  EXPECT_EQ(decided("len(best_.name) == 9 && status_ == kPaid"), Outcome::kCommitted);
}

TEST_P(CppCaptureTest, tests_strings_in_the_program) {
  using program::Outcome;
  for (const std::string yes :
       {"starts_with(customer_, \"bo\")", "starts_with(customer_, \"bob\")",
        "!starts_with(customer_, \"bobb\")", "contains(customer_, \"ob\")",
        "!contains(customer_, \"bobb\")", "contains(best_.name, \" item\")",
        "contains(best_.name, \"best item\")", "!contains(best_.name, \"items\")"}) {
    EXPECT_EQ(decided(yes), Outcome::kCommitted) << yes;
    EXPECT_EQ(decided("!(" + yes + ")"), Outcome::kNoMatch) << yes;
  }
}

TEST_P(CppCaptureTest, tests_views_and_the_rest_of_long_strings) {
  using program::Outcome;
  if (GetParam()) return;  // -O2 keeps no locals
  EXPECT_EQ(decided("view == \"a view\""), Outcome::kCommitted);
  EXPECT_EQ(decided("starts_with(view, \"a vi\")"), Outcome::kCommitted);
  EXPECT_EQ(decided("contains(view, \"views\")"), Outcome::kNoMatch);
  EXPECT_EQ(decided("nowhere == \"\" && !contains(nowhere, \"a\")"), Outcome::kCommitted);
  EXPECT_EQ(decided("starts_with(nowhere, \"a\")"), Outcome::kNoMatch);
  EXPECT_EQ(decided("empty == \"\" && !starts_with(empty, \"x\")"), Outcome::kCommitted);
  EXPECT_EQ(decided("contains(note, \"xxx\")"), Outcome::kCommitted);
  EXPECT_EQ(decided("contains(note, \"y\")"), Outcome::kConditionUnavailable);
  EXPECT_EQ(decided("!contains(note, \"y\")"), Outcome::kConditionUnavailable);
  EXPECT_EQ(decided("starts_with(note, \"y\")"), Outcome::kNoMatch);
}

// As the session does it, of what was captured.
TEST_P(CppCaptureTest, shows_bytes_as_hex) {
  if (GetParam()) return;
  const auto hex = [&](const std::string& text) {
    const auto bound = language::bind_expression(text, stopped_.scope(), {});
    EXPECT_TRUE(bound && values::is_of_bytes((*bound)->root->type)) << text;
    const auto built = build_capture({{*bound}, nullptr, {}, stopped_.bias(), {}});
    run_ = stopped_.run(built->program);
    const Value value = values::decode(built->layout, run_.body, {})[0].value;
    const auto bytes = values::bytes_shown(value, *(*bound)->root, built->layout, run_.body);
    return bytes ? values::to_message_text(values::as_hex(value, *bytes)) : "nothing";
  };
  EXPECT_EQ(hex("small"), "74696e79");
  EXPECT_EQ(hex("view"), "612076696577");
  EXPECT_EQ(hex("empty"), "");
  EXPECT_EQ(hex("fixed"), "00ff10");
  EXPECT_EQ(hex("listed"), "0102ff");
  EXPECT_EQ(hex("letters"), "68690000");
  EXPECT_EQ(hex("many").size(), 64U);
  EXPECT_EQ(hex("note"), [] {
    std::string all;
    for (int i = 0; i < 256; ++i) all += "78";
    return all + "...";
  }());
}

TEST_P(CppCaptureTest, knows_what_is_not_made_of_bytes) {
  for (const std::string text : {"numbers", "item", "*this"}) {
    const auto bound =
        language::bind_expression(text, stopped_.scope(), {.allow_unavailable = true});
    ASSERT_TRUE(bound) << text;
    EXPECT_FALSE(values::is_of_bytes((*bound)->root->type)) << text;
  }
}

TEST_P(CppCaptureTest, never_reads_a_redacted_member_of_an_object) {
  const auto hides_tokens = [](std::string_view path, const symbols::Type&) {
    return path.find("token") != path.npos;
  };
  const std::string whole = values::to_text(captured("*this", hides_tokens));
  EXPECT_NE(whole.find("token_ = <redacted>"), std::string::npos) << whole;
  const std::string_view bytes(reinterpret_cast<const char*>(run_.body.data()), run_.body.size());
  EXPECT_EQ(bytes.find("s3cr3t"), bytes.npos);
}

}  // namespace
}  // namespace nohalt::capture
