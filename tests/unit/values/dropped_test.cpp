// What is left of values of which policy drops a part.
#include "probes/records/values/dropped.h"

#include <gtest/gtest.h>

namespace nohalt::values {
namespace {

Value number(std::uint64_t bits) {
  Value value;
  value.kind = Value::Kind::kInteger;
  value.state = ValueState::kExact;
  value.byte_size = 8;
  value.bits = bits;
  return value;
}

Value dropped() {
  Value value;
  value.state = ValueState::kRedacted;
  value.why = "hidden by policy";
  value.is_dropped = true;
  return value;
}

Value with_items(Value::Kind kind, std::vector<Value> items) {
  Value value;
  value.kind = kind;
  value.state = ValueState::kExact;
  value.items = std::move(items);
  return value;
}

Value with_members(Value::Kind kind, std::vector<std::pair<std::string, Value>> members) {
  Value value;
  value.kind = kind;
  value.state = ValueState::kExact;
  value.members = std::move(members);
  return value;
}

std::string text_of(Value value) {
  leave_out_dropped(value);
  return to_text(value);
}

std::string json_of(Value value) {
  leave_out_dropped(value);
  bool escaped = false;
  return content_json(value, escaped);
}

bool is_gone(Value value) {
  leave_out_dropped(value);
  return value.is_dropped;
}

Value map_of(const char* key, const char* value) {
  const Value whole = with_members(Value::Kind::kStruct, {{key, number(1)}, {value, dropped()}});
  const Value other = with_members(Value::Kind::kStruct, {{key, dropped()}, {value, number(2)}});
  return with_items(Value::Kind::kMap, {whole, other});
}

TEST(Dropped, OfAMapsItemTheOtherHalfIsLeft) {
  EXPECT_EQ(text_of(map_of("first", "second")), "{[1], 2}");
  EXPECT_EQ(text_of(map_of("__0", "__1")), "{[1], 2}");
  EXPECT_EQ(json_of(map_of("__0", "__1")), R"([{"key":1},{"value":2}])");
}

TEST(Dropped, AMapsItemGoesWhereBothHalvesDo) {
  const Value pair =
      with_members(Value::Kind::kStruct, {{"first", dropped()}, {"second", dropped()}});
  EXPECT_EQ(text_of(with_items(Value::Kind::kMap, {pair})), "{}");
}

TEST(Dropped, MembersAndItemsGoWithTheirCommas) {
  EXPECT_EQ(text_of(with_members(Value::Kind::kStruct, {{"a", dropped()}, {"b", number(2)}})),
            "{b = 2}");
  EXPECT_EQ(text_of(with_items(Value::Kind::kTuple, {number(1), dropped(), number(3)})), "(1, 3)");
  EXPECT_EQ(json_of(with_items(Value::Kind::kArray, {dropped(), number(3)})), "[3]");
}

TEST(Dropped, WhatHasNothingElseGoesWithIt) {
  EXPECT_TRUE(is_gone(with_items(Value::Kind::kVariant, {dropped()})));
  EXPECT_TRUE(is_gone(with_items(Value::Kind::kOptional, {dropped()})));
  EXPECT_TRUE(is_gone(with_items(Value::Kind::kDuration, {dropped()})));
  EXPECT_FALSE(is_gone(with_items(Value::Kind::kOptional, {})));
}

TEST(Dropped, OfAVariantOfRustTheNameIsLeft) {
  const Value some = with_members(Value::Kind::kAlternative, {{"Some", dropped()}});
  EXPECT_EQ(text_of(some), "Some");
  EXPECT_EQ(json_of(some), R"({"Some":{}})");
}

TEST(Dropped, OfAPointerTheAddressIsLeftAndOfATextNothing) {
  Value pointer = number(16);
  pointer.kind = Value::Kind::kPointer;
  pointer.target.push_back(dropped());
  EXPECT_EQ(text_of(pointer), "0x10");
  pointer.state = ValueState::kRedacted;
  EXPECT_TRUE(is_gone(pointer));
}

}  // namespace
}  // namespace nohalt::values
