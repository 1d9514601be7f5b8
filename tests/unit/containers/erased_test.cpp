// Which bytes keep an object of a type that nobody knows.
#include "probes/capture/containers/erased.h"

#include <gtest/gtest.h>

namespace nohalt::capture::containers {
namespace {

using symbols::Type;

Type type_of(const char* name, std::uint64_t size) {
  Type type;
  type.kind = symbols::TypeKind::kStruct;
  type.name = name;
  type.byte_size = size;
  return type;
}

void expect_bytes(const Type& type, std::uint64_t begin, std::uint64_t end) {
  const auto bytes = erased_bytes(&type);
  ASSERT_TRUE(bytes) << type.name;
  EXPECT_EQ(bytes->begin, begin) << type.name;
  EXPECT_EQ(bytes->end, end) << type.name;
}

TEST(Erased, bytes_are_known_by_what_keeps_them) {
  expect_bytes(type_of("std::_Any_data", 16), 8, 16);
  expect_bytes(type_of("std::any::_Storage", 8), 0, 8);
  expect_bytes(type_of("std::__1::any::_Storage", 24), 0, 24);
  expect_bytes(
      type_of("std::__1::__shared_ptr_emplace<Account, std::__1::allocator<Account> >::_Storage",
              48),
      0, 48);
}

TEST(Erased, bytes_of_a_function_are_its_buffer) {
  const Type buffer = type_of("std::aligned_storage<24, 8>::type", 24);
  Type function = type_of("std::__1::__function::__value_func<int ()>", 32);
  symbols::Member member;
  member.name = "__buf_";
  member.type = &buffer;
  function.members.push_back(member);
  expect_bytes(function, 0, 24);
  EXPECT_TRUE(is_erased(&function, member));
  member.name = "__f_";
  EXPECT_FALSE(is_erased(&function, member)) << "the pointer to what is called";
}

TEST(Erased, bytes_are_in_no_other_type) {
  const Type account = type_of("Account", 48);
  EXPECT_FALSE(erased_bytes(&account));
  const Type control = type_of("std::__1::__shared_ptr_emplace<Account>", 48);
  EXPECT_FALSE(erased_bytes(&control));
}

}  // namespace
}  // namespace nohalt::capture::containers
