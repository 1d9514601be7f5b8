// What is taken for a container, on types made by hand: the name is not enough.
#include "probes/capture/containers/recognise.h"

#include <gtest/gtest.h>

#include "probes/capture/containers/fields.h"

namespace nohalt::capture::containers {
namespace {

using symbols::Member;
using symbols::Type;
using symbols::TypeKind;
using Library = LibraryName::Library;

Type number(std::uint64_t size) {
  Type type;
  type.kind = TypeKind::kInteger;
  type.name = "number";
  type.byte_size = size;
  return type;
}
Type pointer_to(const Type& target) {
  Type type;
  type.kind = TypeKind::kPointer;
  type.byte_size = 8;
  type.target = &target;
  return type;
}
Type structure(std::string name, std::uint64_t size, std::vector<Member> members) {
  Type type;
  type.kind = TypeKind::kStruct;
  type.name = std::move(name);
  type.byte_size = size;
  type.members = std::move(members);
  return type;
}
Member member(std::string name, const Type& type, std::uint64_t at) {
  Member made;
  made.name = std::move(name);
  made.type = &type;
  made.byte_offset = at;
  return made;
}

// A vector of libstdc++'s with one thing in it changed.
struct Vector {
  Type item = number(4);
  Type pointer = pointer_to(item);
  Type implementation = structure("std::_Vector_base<int>::_Vector_impl", 24,
                                  {member("_M_start", pointer, 0), member("_M_finish", pointer, 8),
                                   member("_M_end_of_storage", pointer, 16)});
  Type vector = structure("std::vector<int, std::allocator<int> >", 24,
                          {member("_M_impl", implementation, 0)});
};

TEST(Recognise, TakesAVectorForWhatItIs) {
  const Vector made;
  const auto found = recognise(&made.vector);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->kind, Items::Kind::kSequence);
  EXPECT_EQ(found->item, &made.item);
  const auto& row = std::get<Row>(found->way);
  EXPECT_EQ(row.begin_at, 0U);
  EXPECT_EQ(row.end_at, 8U);
  EXPECT_EQ(row.limit_at, 16U);
}

TEST(Recognise, TakesNothingWhoseMembersAreNotAsExpected) {
  Vector renamed;
  renamed.implementation.members[1].name = "_M_last";
  EXPECT_FALSE(recognise(&renamed.vector));
  Vector counted;
  const Type word = number(8);
  counted.implementation.members[1].type = &word;
  EXPECT_FALSE(recognise(&counted.vector)) << "an end that is no pointer";
  Vector outside;
  outside.implementation.members[2].byte_offset = 24;
  EXPECT_FALSE(recognise(&outside.vector)) << "a member outside of the object";
  Vector untyped;
  untyped.item.byte_size = 0;
  EXPECT_FALSE(recognise(&untyped.vector)) << "items whose size is not known";
  Vector declared;
  declared.vector.is_declaration = true;
  EXPECT_FALSE(recognise(&declared.vector));
}

TEST(Recognise, TakesOnlyTheLibrariesOwnTemplates) {
  for (const char* name : {"mine::vector<int>", "std::vectors<int>", "vector<int>", "std::vector",
                           "std::vector<int>::iterator", "std::__debug::vector<int>"}) {
    Vector made;
    made.vector.name = name;
    EXPECT_FALSE(recognise(&made.vector)) << name;
  }
}

TEST(Recognise, LooksThroughTypedefs) {
  const Vector made;
  Type alias;
  alias.kind = TypeKind::kTypedef;
  alias.target = &made.vector;
  EXPECT_TRUE(recognise(&alias));
}

TEST(LibraryNames, AreTakenApart) {
  EXPECT_EQ(library_name("std::__cxx11::list<int>").name, "list");
  EXPECT_EQ(library_name("std::__1::map<a<b>, c<(d)1> >").name, "map");
  EXPECT_EQ(library_name("std::__1::map<int>").library, Library::kLlvm);
  EXPECT_EQ(library_name("std::map<int>").library, Library::kGnu);
  EXPECT_EQ(library_name("std::map<int>::value_type<int>").library, Library::kNone);
  EXPECT_EQ(library_name("std::map<int").library, Library::kNone);
  EXPECT_EQ(library_name("std::").library, Library::kNone);
  EXPECT_EQ(library_name("").library, Library::kNone);
}

}  // namespace
}  // namespace nohalt::capture::containers
