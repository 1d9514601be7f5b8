// Where results are returned, by the classes of the ABI.
#include "probes/symbols/return_value.h"

#include <gtest/gtest.h>

#include <deque>

namespace nohalt::symbols {
namespace {

using Passing = FunctionReturn::ClassPassing;

class Returns : public ::testing::Test {
 private:
  std::deque<Type> types_;

 protected:
  const Type* scalar(TypeKind kind, std::uint64_t size) {
    Type& type = types_.emplace_back();
    type.kind = kind;
    type.name = "a scalar";
    type.byte_size = size;
    return &type;
  }
  const Type* record(std::vector<const Type*> members, TypeKind kind = TypeKind::kStruct) {
    Type type;
    type.kind = kind;
    type.name = "a record";
    std::uint64_t at = 0;
    for (const Type* member : members) {
      if (kind == TypeKind::kUnion) at = 0;
      at = (at + member->byte_size - 1) / member->byte_size * member->byte_size;
      Member& placed = type.members.emplace_back();
      placed.type = member;
      placed.byte_offset = at;
      at += member->byte_size;
      type.byte_size = std::max(type.byte_size, at);
    }
    types_.push_back(std::move(type));
    return &types_.back();
  }
  static Location where(const Type* type, bool is_c = true, Passing passing = Passing::kUnknown) {
    FunctionReturn result;
    result.type = type;
    result.is_c = is_c;
    result.passing = passing;
    return return_location(result);
  }

  const Type* int_ = scalar(TypeKind::kInteger, 4);
  const Type* long_ = scalar(TypeKind::kInteger, 8);
  const Type* double_ = scalar(TypeKind::kFloat, 8);
  const Type* float_ = scalar(TypeKind::kFloat, 4);
};

void expect_register(const Location& location, std::uint16_t number) {
  const auto* in = std::get_if<InRegister>(&location);
  ASSERT_NE(in, nullptr);
  EXPECT_EQ(in->number, number);
}
void expect_pieces(const Location& location,
                   std::vector<std::pair<std::uint16_t, std::uint64_t>> expected) {
  const auto* in = std::get_if<InPieces>(&location);
  ASSERT_NE(in, nullptr);
  ASSERT_EQ(in->pieces.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    expect_register(in->pieces[i].location.front(), expected[i].first);
    EXPECT_EQ(in->pieces[i].bit_size, expected[i].second);
  }
}
void expect_memory(const Location& location) {
  const auto* in = std::get_if<InMemory>(&location);
  ASSERT_NE(in, nullptr);
  ASSERT_EQ(in->address.size(), 1U);
  EXPECT_EQ(in->address.front().kind, OpKind::kRegister);
  EXPECT_EQ(in->address.front().number, 0U);
}
void expect_unavailable(const Location& location) {
  EXPECT_TRUE(std::holds_alternative<Unavailable>(location));
}

constexpr std::uint16_t kRax = 0;
constexpr std::uint16_t kRdx = 1;
constexpr std::uint16_t kXmm0 = 17;
constexpr std::uint16_t kXmm1 = 18;

TEST_F(Returns, ScalarsAreInRaxOrXmm0) {
  for (const TypeKind kind : {TypeKind::kInteger, TypeKind::kBool, TypeKind::kChar, TypeKind::kEnum,
                              TypeKind::kPointer, TypeKind::kReference})
    expect_register(where(scalar(kind, kind == TypeKind::kBool ? 1 : 8)), kRax);
  expect_register(where(double_), kXmm0);
  expect_register(where(float_), kXmm0);
}

TEST_F(Returns, WhatIsNotCoveredIsUnavailable) {
  expect_unavailable(where(scalar(TypeKind::kFloat, 16)));    // long double: on the x87 stack
  expect_unavailable(where(scalar(TypeKind::kInteger, 16)));  // __int128
  expect_unavailable(where(scalar(TypeKind::kUnknown, 8)));
  expect_unavailable(where(scalar(TypeKind::kArray, 16)));  // a vector
  expect_unavailable(where(record({})));
}

TEST_F(Returns, SmallRecordsAreInTheRegistersOfTheirWords) {
  expect_register(where(record({int_, int_})), kRax);
  expect_register(where(record({float_, float_})), kXmm0);
  expect_register(where(record({float_, int_})), kRax);
  expect_pieces(where(record({long_, long_})), {{kRax, 64}, {kRdx, 64}});
  expect_pieces(where(record({long_, double_})), {{kRax, 64}, {kXmm0, 64}});
  expect_pieces(where(record({double_, long_})), {{kXmm0, 64}, {kRax, 64}});
  expect_pieces(where(record({double_, double_})), {{kXmm0, 64}, {kXmm1, 64}});
  expect_pieces(where(record({double_, int_})), {{kXmm0, 64}, {kRax, 32}});
}

TEST_F(Returns, RecordsWithinRecordsCountByTheirScalars) {
  expect_pieces(where(record({record({long_}), double_})), {{kRax, 64}, {kXmm0, 64}});
  expect_register(where(record({double_, long_}, TypeKind::kUnion)), kRax);
}

TEST_F(Returns, LargeAndPackedRecordsAreInMemory) {
  expect_memory(where(record({long_, long_, long_})));
  Type packed = *record({int_, long_});
  packed.members[1].byte_offset = 4;
  packed.byte_size = 12;
  expect_memory(where(&packed));
}

TEST_F(Returns, OfClassesTheCompilerHasToSay) {
  const Type* small = record({long_});
  const Type* large = record({long_, long_, long_});
  expect_unavailable(where(small, false));
  expect_unavailable(where(large, false));
  expect_register(where(small, false, Passing::kByValue), kRax);
  expect_memory(where(small, false, Passing::kByReference));
  expect_memory(where(large, false, Passing::kByValue));
}

TEST_F(Returns, ADoubtfulResultIsUnavailableAndSaysWhy) {
  FunctionReturn result;
  result.type = int_;
  result.is_c = true;
  result.doubt = "it is doubtful";
  const Location location = return_location(result);
  const auto* missing = std::get_if<Unavailable>(&location);
  ASSERT_NE(missing, nullptr);
  EXPECT_EQ(missing->detail, "it is doubtful");
}

}  // namespace
}  // namespace nohalt::symbols
