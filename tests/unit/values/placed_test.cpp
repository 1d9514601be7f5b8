// Where the bytes of a value were, and which of them it shows.
#include "probes/records/values/placed.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

namespace nohalt::values {
namespace {

using capture::Node;
using symbols::Type;
using symbols::TypeKind;

Type type_of(TypeKind kind, const char* name, std::uint64_t size, const Type* target = nullptr) {
  Type type;
  type.kind = kind;
  type.name = name;
  type.byte_size = size;
  type.is_signed = true;
  type.target = target;
  return type;
}

symbols::Member member(const char* name, const Type& type, std::uint64_t at) {
  symbols::Member made;
  made.name = name;
  made.type = &type;
  made.byte_offset = at;
  return made;
}

// struct { char letter; long number; char* text; char name[8]; }, which lies at 0x1000.
class PlacedTest : public testing::Test {
 protected:
  PlacedTest() {
    name_.element_count = 8;
    struct_.members = {member("letter", char_, 0), member("number", long_, 8),
                       member("text", pointer_, 16), member("name", name_, 24)};
    node_.kind = Node::Kind::kBytes;
    node_.type = &struct_;
    node_.size = 32;
    put(8, 7);
    put(16, 0x2000);
    std::memcpy(&body_[24], "bob\0stal", 8);
    auto text = std::make_unique<Node>();
    text->kind = Node::Kind::kText;
    text->type = &char_;
    text->data = 40;
    text->size = 16;
    text->length = 56;
    std::memcpy(&body_[40], "anna\0stale", 10);
    put(56, 4);
    node_.follows.push_back({16, std::move(text)});
  }
  void put(std::size_t at, std::uint64_t word) { std::memcpy(&body_[at], &word, sizeof word); }
  std::vector<Placed> placed(const IsShown& is_shown = [](const Value&) { return true; }) {
    return place(node_, RuntimeAddress{0x1000}, body_, 20, is_shown);
  }
  // The shown bytes; dots elsewhere.
  static std::string shown(const Placed& placed) {
    std::string all(placed.bytes.size(), '.');
    for (const Placed::Part& part : placed.shown)
      for (std::uint64_t i = part.begin; i < part.end; ++i)
        all[i] = placed.bytes[i] == std::byte{0} ? '0' : static_cast<char>(placed.bytes[i]);
    return all;
  }

  Type char_ = type_of(TypeKind::kChar, "char", 1);
  Type long_ = type_of(TypeKind::kInteger, "long", 8);
  Type pointer_ = type_of(TypeKind::kPointer, "char *", 8, &char_);
  Type name_ = type_of(TypeKind::kArray, "char [8]", 8, &char_);
  Type struct_ = type_of(TypeKind::kStruct, "thing", 32);
  Node node_;
  std::vector<std::byte> body_ = std::vector<std::byte>(64, std::byte{'x'});
};

TEST_F(PlacedTest, LeavesOutPaddingAndWhatLiesBehindATextsEnd) {
  const auto all = placed();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].address, RuntimeAddress{0x1000});
  EXPECT_EQ(shown(all[0]).substr(0, 9), "x.......\a");
  EXPECT_EQ(shown(all[0]).substr(24), "bob0....");
}

TEST_F(PlacedTest, FollowsAPointerToATextWithItsNull) {
  const auto all = placed();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[1].address, RuntimeAddress{0x2000});
  EXPECT_EQ(shown(all[1]), "anna0");
}

TEST_F(PlacedTest, LeavesOutWhatMayNotBeShown) {
  const auto all = placed([](const Value& value) { return value.text != "anna"; });
  ASSERT_EQ(all.size(), 1U);
  EXPECT_TRUE(all[0].hidden.empty());
}

TEST_F(PlacedTest, LeavesOutAListThatSpellsWhatMayNotBeShown) {
  const Type octet = type_of(TypeKind::kInteger, "unsigned char", 1);
  name_.target = &octet;
  const auto spells = [](const Value& value) { return value.kind == Value::Kind::kArray; };
  EXPECT_EQ(shown(placed()[0]).substr(24), "bob0stal");
  const auto all = placed([&](const Value& value) { return !spells(value); });
  EXPECT_EQ(shown(all[0]).substr(24), "........");
  ASSERT_EQ(all[0].hidden.size(), 1U);
  EXPECT_EQ(all[0].hidden[0].begin, 24U);
  EXPECT_EQ(all[0].hidden[0].end, 32U);
}

// An object behind `text`, of which the record has what its pointer says.
TEST_F(PlacedTest, LeavesOutAnObjectThatMayNotBeShown) {
  constexpr std::uint64_t kVtable = 0x5000;
  body_.resize(128);
  Type object = type_of(TypeKind::kStruct, "object", 16);
  object.members = {member("_vptr", pointer_, 0), member("number", long_, 8)};
  pointer_.target = &object;
  auto there = std::make_unique<Node>();
  there->kind = Node::Kind::kItems;
  there->type = &object;
  there->items = std::make_unique<capture::Items>();
  there->items->kind = capture::Items::Kind::kObject;
  there->items->count = 64;
  there->items->walked = 72;
  Node& declared = there->items->slots.emplace_back();
  declared.kind = Node::Kind::kBytes;
  declared.type = &object;
  declared.data = 80;
  declared.size = 16;
  put(64, kVtable);
  put(80, kVtable);
  put(88, 0x6262626262626262);
  node_.follows.clear();
  node_.follows.push_back({16, std::move(there)});
  const auto whole = placed();
  ASSERT_EQ(whole.size(), 2U);
  EXPECT_EQ(whole[1].address, RuntimeAddress{0x2000});
  EXPECT_EQ(shown(whole[1]).substr(8), "bbbbbbbb");
  EXPECT_EQ(placed([](const Value& value) { return value.vtable_pointer != kVtable; }).size(), 1U);
}

TEST_F(PlacedTest, TellsWhatARuleHides) {
  node_.holes = {{24, 32, {ValueState::kRedacted, "hidden by policy"}}};
  const auto all = placed();
  ASSERT_FALSE(all.empty());
  EXPECT_EQ(shown(all[0]).substr(24), "........");
  ASSERT_EQ(all[0].hidden.size(), 1U);
  EXPECT_EQ(all[0].hidden[0].begin, 24U);
}

TEST_F(PlacedTest, IsEmptyOfAValueThatIsNotThere) {
  node_.kind = Node::Kind::kAbsent;
  EXPECT_TRUE(placed().empty());
}

}  // namespace
}  // namespace nohalt::values
