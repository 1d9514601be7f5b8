// Values as text and JSON, and messages.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "probes/records/values/decode.h"
#include "probes/records/values/value.h"
#include "tests/unit/language/fake_scope.h"

namespace nohalt::values {
namespace {

using nlohmann::json;

Value integer(std::int64_t number, std::uint32_t size = 4) {
  Value value;
  value.kind = Value::Kind::kInteger;
  value.type = "int";
  value.state = ValueState::kExact;
  value.bits = static_cast<std::uint64_t>(number);
  value.is_signed = true;
  value.byte_size = size;
  return value;
}
Value floating(long double number, std::uint32_t size) {
  Value value = integer(0, size);
  value.kind = Value::Kind::kFloat;
  value.floating = number;
  return value;
}
Value text(std::string bytes) {
  Value value = integer(0);
  value.kind = Value::Kind::kText;
  value.type = "char [8]";
  value.text = std::move(bytes);
  return value;
}
Value missing(ValueState state, std::string why) {
  Value value;
  value.type = "int";
  value.state = state;
  value.why = std::move(why);
  return value;
}

TEST(ValueJson, writes_numbers_that_a_double_cannot_hold_as_strings) {
  EXPECT_EQ(json::parse(to_json(integer(9007199254740991, 8)))["value"], 9007199254740991);
  EXPECT_EQ(json::parse(to_json(integer(9007199254740992, 8)))["value"], "9007199254740992");
  EXPECT_EQ(json::parse(to_json(integer(-9007199254740992, 8)))["value"], "-9007199254740992");
  Value pointer = integer(0x1234, 8);
  pointer.kind = Value::Kind::kPointer;
  EXPECT_EQ(json::parse(to_json(pointer))["value"], "0x1234");
}

TEST(ValueJson, writes_floats_shortest_and_the_odd_ones_as_strings) {
  EXPECT_EQ(to_text(floating(0.1, 8)), "0.1");
  EXPECT_EQ(to_text(floating(static_cast<long double>(0.1F), 4)), "0.1");
  EXPECT_EQ(json::parse(to_json(floating(1e300, 8)))["value"], 1e300);
  EXPECT_EQ(json::parse(to_json(floating(-0.0L, 8)))["value"].dump(), "-0.0");
  EXPECT_EQ(json::parse(to_json(floating(NAN, 8)))["value"], "nan");
  EXPECT_EQ(json::parse(to_json(floating(-NAN, 8)))["value"], "-nan");
  EXPECT_EQ(json::parse(to_json(floating(-INFINITY, 4)))["value"], "-inf");
  EXPECT_TRUE(json::parse(to_json(floating(0.1L, 16)))["value"].is_string());
}

TEST(ValueJson, says_the_state_and_leaves_out_what_is_not_there) {
  const json gone = json::parse(to_json(missing(ValueState::kUnreadable, "p is null")));
  EXPECT_EQ(gone["state"], "unreadable");
  EXPECT_EQ(gone["why"], "p is null");
  EXPECT_FALSE(gone.contains("value"));
  EXPECT_EQ(json::parse(to_json(integer(3)))["state"], "exact");
}

TEST(ValueJson, keeps_text_and_marks_what_is_not_utf8) {
  const std::string odd = "a\"\\\n\x1b[31m\xe2\x80\xae\xc3\xa9";
  const std::string line = to_json(text(odd));
  EXPECT_EQ(json::parse(line)["value"], odd);
  EXPECT_EQ(line.find('\x1b'), line.npos);
  EXPECT_EQ(line.find("\xe2\x80\xae"), line.npos);
  const json escaped = json::parse(to_json(text("a\xff")));
  EXPECT_EQ(escaped["value"], "a\\xff");
  EXPECT_EQ(escaped["encoding"], "escaped");
}

TEST(ValueJson, nests_values_and_the_states_of_their_parts) {
  Value record;
  record.kind = Value::Kind::kStruct;
  record.type = "struct s";
  record.state = ValueState::kExact;
  record.members.emplace_back("a", integer(1));
  record.members.emplace_back("b", missing(ValueState::kRedacted, "hidden by policy"));
  record.members.emplace_back("", integer(2));
  const json written = json::parse(to_json(record));
  EXPECT_EQ(written["value"]["a"], 1);
  EXPECT_EQ(written["value"]["b"]["state"], "redacted");
  EXPECT_EQ(to_text(record), "{a = 1, b = <redacted>, 2}");
}

TEST(ValueText, escapes_what_would_drive_a_terminal) {
  EXPECT_EQ(to_text(text("a\x1b[2J")), "\"a\\x1b[2J\"");
  EXPECT_EQ(to_message_text(text("a\nb")), "a\\nb");
}

class MessageTest : public testing::Test {
 protected:
  std::string rendered(const std::string& message, const std::vector<Value>& values) {
    const auto bound = language::bind_template(message, stock_.scope, {});
    EXPECT_TRUE(bound) << bound.error().message;
    std::vector<NamedValue> named;
    for (const Value& value : values) named.push_back({"", value});
    return render(*bound, named);
  }
  test::StockScope stock_;
};

TEST_F(MessageTest, follows_its_specs) {
  EXPECT_EQ(rendered("<{count:08x}>", {integer(255)}), "<000000ff>");
  EXPECT_EQ(rendered("<{count:x}>", {integer(-1)}), "<ffffffff>");
  EXPECT_EQ(rendered("<{count:*^7d}>", {integer(-42)}), "<**-42**>");
  EXPECT_EQ(rendered("<{count:+}>", {integer(42)}), "<+42>");
  EXPECT_EQ(rendered("<{count:#o}>", {integer(8)}), "<010>");
  EXPECT_EQ(rendered("<{count:c}>", {integer('A')}), "<A>");
  EXPECT_EQ(rendered("<{ratio:.2f}>", {floating(1.239, 8)}), "<1.24>");
  EXPECT_EQ(rendered("<{text:>6.2s}>", {text("abc")}), "<    ab>");
  EXPECT_EQ(rendered("<{text:\xc3\xa9>4}>", {text("ab")}),
            "<\xc3\xa9\xc3\xa9"
            "ab>");
}

TEST_F(MessageTest, says_why_a_value_is_not_there) {
  EXPECT_EQ(rendered("{count:08x}!", {missing(ValueState::kUnreadable, "u is null")}),
            "<unreadable: u is null>!");
  EXPECT_EQ(rendered("{count}", {missing(ValueState::kOptimizedOut, "")}), "<optimized out>");
  EXPECT_EQ(rendered("{{{count}}}", {missing(ValueState::kRedacted, "x")}), "{<redacted>}");
}

TEST_F(MessageTest, takes_every_spec_that_the_binder_takes) {
  const std::vector<std::string> names = {"count", "ratio", "text", "u", "st"};
  for (const std::string& name : names) {
    for (const char type : std::string("xXobBdcseEfFgGaAp")) {
      for (const std::string flags : {"", "+", "#", "0", "012", ".3", "<9", "+#020.5"}) {
        const std::string message = "{" + name + ":" + flags + type + "}";
        const auto bound = language::bind_template(message, stock_.scope, {});
        if (!bound) continue;
        for (const Value& value :
             {integer(-3), floating(2.5, 8), text("abc"), missing(ValueState::kUnavailable, "x")}) {
          const NamedValue named{"", value};
          EXPECT_FALSE(render(*bound, std::span(&named, 1)).empty()) << message;
        }
      }
    }
  }
}

TEST(TreeJson, WhateverLiesInsideSaysWhatItIs) {
  Value record;
  record.kind = Value::Kind::kStruct;
  record.type = "struct pair";
  record.state = ValueState::kExact;
  record.members = {{"n", integer(7)}, {"lost", missing(ValueState::kUnreadable, "gone")}};
  bool escaped = false;
  const json tree = json::parse(tree_json(record, escaped));
  EXPECT_EQ(tree["n"], (json{{"type", "int"}, {"kind", "integer"}, {"value", 7}}));
  EXPECT_EQ(tree["lost"]["state"], "unreadable");
  EXPECT_EQ(tree["lost"]["why"], "gone");
  EXPECT_FALSE(tree["lost"].contains("kind"));
  EXPECT_STREQ(kind_name(record), "struct");
}

}  // namespace
}  // namespace nohalt::values
