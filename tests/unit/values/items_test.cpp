// Containers decoded from a record's bytes, honest and hostile.
#include <gtest/gtest.h>

#include <cstring>
#include <nlohmann/json.hpp>
#include <random>

#include "probes/records/values/node_reader.h"
#include "probes/records/values/value.h"

namespace nohalt::values {
namespace {

using capture::Follow;
using capture::Items;
using nlohmann::json;
using symbols::Type;
using symbols::TypeKind;

constexpr std::uint32_t kMaxItems = 20;

Type type_of(TypeKind kind, const char* name, std::uint64_t size) {
  Type type;
  type.kind = kind;
  type.name = name;
  type.byte_size = size;
  type.is_signed = true;
  return type;
}

// A record: status at 0, walked at 4, end at 8, count at 16, uses at 24, watchers at
// 32, then a status and four bytes a slot from 40.
class ItemsTest : public testing::Test {
 protected:
  static constexpr std::uint32_t kSlots = 40;

  Node container(Items::Kind kind, std::size_t slots) {
    Node node;
    node.kind = Node::Kind::kItems;
    node.type = &vector_;
    node.status = 0;
    node.whys = {{ValueState::kUnreadable, "a link cannot be read"}};
    node.items = std::make_unique<Items>();
    node.items->kind = kind;
    node.items->item = &int_;
    node.items->walked = 4;
    node.items->end = 8;
    node.items->count = 16;
    for (std::uint32_t i = 0; i < slots; ++i) {
      Node slot;
      slot.kind = Node::Kind::kBytes;
      slot.type = &int_;
      slot.status = kSlots + 8 * i;
      slot.data = kSlots + 8 * i + 4;
      slot.size = 4;
      node.items->slots.push_back(std::move(slot));
      body_[slot.status] = std::byte{capture::kStatusCaptured};
      put(slot.data, 100 + i);
    }
    body_[0] = std::byte{capture::kStatusCaptured};
    return node;
  }
  void put(std::size_t at, std::uint64_t number, std::size_t size = 4) {
    std::memcpy(&body_[at], &number, size);
  }
  void walked(std::uint32_t count, std::uint8_t end, std::uint64_t says) {
    put(4, count);
    body_[8] = std::byte{end};
    put(16, says, 8);
  }
  Value read(const Node& node) { return NodeReader(body_, kMaxItems).read(node); }

  Type int_ = type_of(TypeKind::kInteger, "int", 4);
  Type vector_ = type_of(TypeKind::kStruct, "std::vector<int>", 24);
  std::vector<std::byte> body_ = std::vector<std::byte>(256);
};

TEST_F(ItemsTest, ShowsAllThatWasWalked) {
  const Node node = container(Items::Kind::kSequence, 4);
  walked(3, capture::kEndAll, 3);
  const Value value = read(node);
  EXPECT_EQ(value.state, ValueState::kExact);
  EXPECT_EQ(value.count, 3U);
  EXPECT_EQ(to_text(value), "[100, 101, 102]");
  const json written = json::parse(to_json(value));
  EXPECT_EQ(written["size"], 3);
  EXPECT_EQ(written["value"], (json{100, 101, 102}));
}

TEST_F(ItemsTest, SaysHowManyThereAreWhereNotAllAreShown) {
  const Node node = container(Items::Kind::kSequence, 4);
  walked(4, capture::kEndMore, 1000);
  const Value value = read(node);
  EXPECT_EQ(value.state, ValueState::kTruncated);
  EXPECT_EQ(value.why, "4 of 1000 shown");
  EXPECT_EQ(to_text(value), "[100, 101, 102, 103, ...] <4 of 1000 shown>");
}

TEST_F(ItemsTest, MarksASizeThatIsNotWhatWasWalked) {
  const Node node = container(Items::Kind::kSequence, 4);
  walked(2, capture::kEndAll, 7);
  EXPECT_EQ(read(node).why, "its size says 7, and it has 2: it was being changed");
  walked(4, capture::kEndMore, 2);
  EXPECT_EQ(read(node).state, ValueState::kTruncated);
}

TEST_F(ItemsTest, SaysWhyAWalkEndedAndShowsWhatCameBefore) {
  const Node node = container(Items::Kind::kSequence, 4);
  walked(2, capture::kEndFirstWhy, 5);
  const Value value = read(node);
  EXPECT_EQ(value.items.size(), 2U);
  EXPECT_EQ(value.why, "a link cannot be read");
}

TEST_F(ItemsTest, ShowsNothingOfMoreItemsThanThereAreSlots) {
  const Node node = container(Items::Kind::kSequence, 4);
  walked(5, capture::kEndAll, 5);
  EXPECT_FALSE(read(node).is_there());
  EXPECT_EQ(read(node).why, "the record is damaged");
}

TEST_F(ItemsTest, AnItemMayBeMissingByItself) {
  const Node node = container(Items::Kind::kSequence, 2);
  walked(2, capture::kEndAll, 2);
  body_[kSlots] = std::byte{0};
  EXPECT_EQ(to_text(read(node)), "[<unavailable: the record is damaged>, 101]");
}

TEST_F(ItemsTest, AnOptionalIsEmptyOrItsItem) {
  const Node node = container(Items::Kind::kOptional, 1);
  walked(0, capture::kEndAll, 0);
  EXPECT_EQ(to_text(read(node)), "(empty)");
  walked(1, capture::kEndAll, 0);
  EXPECT_EQ(to_text(read(node)), "100");
}

TEST_F(ItemsTest, AVariantIsTheOneThatIsThere) {
  const Node node = container(Items::Kind::kVariant, 3);
  walked(1, capture::kEndAll, 2);
  EXPECT_EQ(to_text(read(node)), "102");
  EXPECT_EQ(json::parse(to_json(read(node)))["value"], (json{{"index", 2}, {"item", 102}}));
  put(16, 255, 8);
  EXPECT_EQ(to_text(read(node)), "(valueless)");
}

TEST_F(ItemsTest, ASharedPointerTellsItsOwnersAndNothingOfWhatIsGone) {
  Node node = container(Items::Kind::kPointer, 1);
  node.items->uses = 24;
  node.items->watchers = 32;
  walked(1, capture::kEndAll, 0x1000);
  put(24, 2, 8);
  EXPECT_EQ(to_text(read(node)), "(use 2, weak 0) -> 100");
  put(24, 0, 8);
  EXPECT_EQ(to_text(read(node)), "(use 0, weak 0) (expired)");
  EXPECT_TRUE(read(node).target.empty());
  put(16, 0, 8);
  EXPECT_EQ(to_text(read(node)), "(null)");
}

TEST_F(ItemsTest, BitsAreBoolsFromTheLowest) {
  Node node = container(Items::Kind::kBits, 0);
  node.items->bits = 40;
  node.items->bits_size = 8;
  put(16, 5, 8);
  body_[40] = std::byte{0b10110};
  EXPECT_EQ(to_text(read(node)), "[false, true, true, false, true]");
  put(16, 1000, 8);
  EXPECT_EQ(read(node).items.size(), kMaxItems);
  EXPECT_EQ(read(node).why, "20 of 1000 shown");
}

TEST_F(ItemsTest, AContainerInAStructIsFoundByItsTypeAndPlace) {
  Type owner = type_of(TypeKind::kStruct, "owner", 32);
  symbols::Member member;
  member.name = "numbers";
  member.type = &vector_;
  member.byte_offset = 8;
  owner.members = {member};
  Node around;
  around.kind = Node::Kind::kBytes;
  around.type = &owner;
  around.data = 200;
  around.size = 32;
  Follow follow;
  follow.at = 8;
  follow.node = std::make_unique<Node>(container(Items::Kind::kSequence, 2));
  around.follows.push_back(std::move(follow));
  walked(2, capture::kEndAll, 2);
  EXPECT_EQ(to_text(read(around)), "{numbers = [100, 101]}");
}

TEST_F(ItemsTest, NoBytesLeadOutOfTheRecord) {
  std::mt19937_64 random(20260229);
  const Items::Kind kinds[] = {
      Items::Kind::kSequence, Items::Kind::kBits,    Items::Kind::kSet,    Items::Kind::kMap,
      Items::Kind::kOptional, Items::Kind::kVariant, Items::Kind::kPointer};
  for (int round = 0; round < 20'000; ++round) {
    Node node = container(kinds[random() % std::size(kinds)], 1 + random() % 4);
    if (random() % 2 == 0) node.items->uses = node.items->watchers = 24;
    node.items->bits = 40;
    node.items->bits_size = 8;
    for (int i = 0; i < 12; ++i) body_[random() % 72] = static_cast<std::byte>(random());
    // A body that ends anywhere, with nothing behind it.
    const std::vector<std::byte> cut(body_.begin(),
                                     body_.begin() + static_cast<long>(random() % 256));
    const Value value = NodeReader(cut, kMaxItems).read(node);
    EXPECT_LE(value.items.size(), kMaxItems);
    EXPECT_TRUE(json::accept(to_json(value))) << to_json(value);
    EXPECT_FALSE(to_text(value).empty());
  }
}

TEST(WideText, IsShownAsUtf8AndALoneSurrogateIsNoText) {
  const std::u16string sixteen = u"gr\u00fc\u00df \U0001f41e";
  Value value;
  value.kind = Value::Kind::kText;
  set_characters(value, std::as_bytes(std::span(sixteen)), 2);
  EXPECT_EQ(value.text, "gr\xc3\xbc\xc3\x9f \xf0\x9f\x90\x9e");
  const std::u32string hostile = {U'a', U'\u202e', char32_t{0x110000}};
  Value broken;
  broken.kind = Value::Kind::kText;
  set_characters(broken, std::as_bytes(std::span(hostile)).first(8), 4);
  EXPECT_EQ(to_text(broken), "\"a\\u{202e}\"");
  set_characters(broken, std::as_bytes(std::span(hostile)), 4);
  EXPECT_EQ(broken.kind, Value::Kind::kBytes);
}

TEST(EnumName, IsASetOfFlagsOnlyWhereEachIsOneBit) {
  Type flags = type_of(TypeKind::kEnum, "Access", 4);
  flags.is_signed = false;
  flags.enumerators = {{"kRead", 1}, {"kWrite", 2}, {"kAppend", 64}};
  EXPECT_EQ(enum_name(&flags, 3), "kRead | kWrite");
  EXPECT_EQ(enum_name(&flags, 0x341), "kRead | kAppend | 0x300");
  EXPECT_EQ(enum_name(&flags, 0x1000), "");
  flags.enumerators.push_back({"kBoth", 3});
  EXPECT_EQ(enum_name(&flags, 66), "");
}

}  // namespace
}  // namespace nohalt::values
