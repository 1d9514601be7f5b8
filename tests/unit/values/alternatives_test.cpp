// Enums with data, decoded from bytes: the variant that is there and nothing else.
#include <gtest/gtest.h>

#include "probes/records/values/node_reader.h"
#include "probes/records/values/value.h"

namespace nohalt::values {
namespace {

using symbols::Alternative;
using symbols::Discriminated;
using symbols::Member;
using symbols::Type;
using symbols::TypeKind;

Type number(const char* name, std::uint64_t size) {
  Type type;
  type.kind = TypeKind::kInteger;
  type.name = name;
  type.byte_size = size;
  return type;
}

Type record(const char* name, std::vector<Member> members) {
  Type type;
  type.kind = TypeKind::kStruct;
  type.name = name;
  type.byte_size = 8;
  type.members = std::move(members);
  return type;
}

Member member(const char* name, const Type* type, std::uint64_t at = 0) {
  Member made;
  made.name = name;
  made.type = type;
  made.byte_offset = at;
  return made;
}

// enum E { None = 0, Pair(u16 at 4, u16 at 6) = 1, Rest { all: u32 } otherwise }
class Alternatives : public testing::Test {
 protected:
  Alternatives() {
    enumeration_.kind = TypeKind::kUnion;
    enumeration_.name = "t::E";
    enumeration_.byte_size = 8;
    enumeration_.members = {member("None", &none_), member("Pair", &pair_), member("Rest", &rest_)};
    enumeration_.discriminated = described(true);
    node_.kind = Node::Kind::kConstant;
    node_.type = &enumeration_;
  }
  [[nodiscard]] std::shared_ptr<Discriminated> described(bool has_default) const {
    auto made = std::make_shared<Discriminated>();
    made->discriminant = member("", &u32_);
    made->alternatives = {{{0}, false}, {{1}, false}, {{2}, false}};
    if (has_default) made->alternatives[2] = Alternative{{}, true};
    return made;
  }
  [[nodiscard]] Value decoded(std::vector<std::uint8_t> bytes) {
    node_.constant = std::move(bytes);
    return NodeReader({}, 20).read(node_);
  }

  Type u16_ = number("u16", 2);
  Type u32_ = number("u32", 4);
  Type none_ = record("t::E::None", {});
  Type pair_ = record("t::E::Pair", {member("__0", &u16_, 4), member("__1", &u16_, 6)});
  Type rest_ = record("t::E::Rest", {member("all", &u32_, 4)});
  Type enumeration_;
  Node node_;
};

TEST_F(Alternatives, show_the_variant_that_is_there) {
  EXPECT_EQ(to_text(decoded({0, 0, 0, 0, 9, 9, 9, 9})), "None");
  EXPECT_EQ(to_text(decoded({1, 0, 0, 0, 2, 0, 3, 0})), "Pair(2, 3)");
  EXPECT_EQ(to_text(decoded({77, 0, 0, 0, 1, 1, 0, 0})), "Rest {all = 257}");
}

TEST_F(Alternatives, say_in_json_which_variant_is_there) {
  EXPECT_EQ(to_json(decoded({1, 0, 0, 0, 2, 0, 3, 0})),
            R"({"type":"t::E","value":{"Pair":{"__0":2,"__1":3}},"state":"exact"})");
  EXPECT_EQ(to_json(decoded({0, 0, 0, 0, 2, 0, 3, 0})),
            R"({"type":"t::E","value":{"None":{}},"state":"exact"})");
}

TEST_F(Alternatives, mark_a_discriminant_of_no_variant) {
  enumeration_.discriminated = described(false);
  const Value value = decoded({3, 0, 0, 0, 2, 0, 3, 0});
  EXPECT_FALSE(value.is_there());
  EXPECT_EQ(value.state, ValueState::kUnavailable);
  EXPECT_EQ(value.why, "its discriminant, 3, is of no variant");
}

TEST_F(Alternatives, show_none_where_the_discriminant_was_not_captured) {
  node_.holes = {{0, 2, {ValueState::kRedacted, "hidden by policy"}}};
  const Value value = decoded({1, 0, 0, 0, 2, 0, 3, 0});
  EXPECT_FALSE(value.is_there());
  EXPECT_EQ(value.state, ValueState::kRedacted);
}

TEST_F(Alternatives, keep_what_is_hidden_in_one_variant_out_of_the_others) {
  node_.holes = {{4, 6, {ValueState::kRedacted, "hidden by policy"}}};
  EXPECT_EQ(to_text(decoded({1, 0, 0, 0, 2, 0, 3, 0})), "Pair(<redacted>, 3)");
  EXPECT_EQ(to_text(decoded({5, 0, 0, 0, 2, 0, 3, 0})), "Rest {all = <redacted>}");
}

TEST_F(Alternatives, are_unknown_where_the_debug_information_is_odd) {
  auto odd = described(true);
  odd->is_known = false;
  enumeration_.discriminated = odd;
  EXPECT_FALSE(decoded({1, 0, 0, 0, 2, 0, 3, 0}).is_there());
}

TEST(WideIntegers, are_shown_whole) {
  const Type u128 = number("u128", 16);
  Type i128 = number("i128", 16);
  i128.is_signed = true;
  Node node;
  node.kind = Node::Kind::kConstant;
  node.type = &u128;
  node.constant.assign(16, 0xff);
  EXPECT_EQ(to_text(NodeReader({}, 20).read(node)), "340282366920938463463374607431768211455");
  node.type = &i128;
  EXPECT_EQ(to_text(NodeReader({}, 20).read(node)), "-1");
}

}  // namespace
}  // namespace nohalt::values
