// What names and types come to, and what is refused.
#include "probes/language/binder.h"

#include <gtest/gtest.h>

#include "tests/unit/language/fake_scope.h"

namespace nohalt::language {
namespace {

using test::FakeScope;
using test::StockScope;

class BinderTest : public testing::Test {
 protected:
  std::string type_of(const std::string& text, bool raw = false) {
    const auto bound = bind_expression(text, stock_.scope, {raw, false});
    return bound ? type_name((*bound)->root->type) : bound.error().message;
  }
  Error error_of(const std::string& text) {
    const auto bound = bind_expression(text, stock_.scope, {});
    return bound ? Error{} : bound.error();
  }
  StockScope stock_;
};

TEST_F(BinderTest, gives_every_operator_the_type_that_c_gives_it) {
  EXPECT_EQ(type_of("count + 1"), "int");
  EXPECT_EQ(type_of("count + total"), "unsigned int");
  EXPECT_EQ(type_of("count + 1l"), "long");
  EXPECT_EQ(type_of("total + 1l"), "long");
  EXPECT_EQ(type_of("total + 1ul"), "unsigned long");
  EXPECT_EQ(type_of("count + ratio"), "double");
  EXPECT_EQ(type_of("*text + *text"), "int");
  EXPECT_EQ(type_of("1ul << count"), "unsigned long");
  EXPECT_EQ(type_of("count == 1"), "bool");
  EXPECT_EQ(type_of("0xffffffff"), "unsigned int");
  EXPECT_EQ(type_of("4294967295"), "long");
  EXPECT_EQ(type_of("u->name"), "char *");
  EXPECT_EQ(type_of("&u->age"), "int *");
  EXPECT_EQ(type_of("*items"), "int");
  EXPECT_EQ(type_of("items"), "int [4]");
  EXPECT_EQ(type_of("items[1..3]"), "int [2]");
  EXPECT_EQ(type_of("items[1 .. 4][2]"), "int");
  EXPECT_EQ(type_of("u[0..1]"), "struct user [1]");
  EXPECT_EQ(type_of("(unsigned char)count"), "unsigned char");
  EXPECT_EQ(type_of("len(items)"), "unsigned long");
}

TEST_F(BinderTest, knows_an_enumerator_beside_its_enum) {
  EXPECT_EQ(type_of("st == RUNNING"), "bool");
  EXPECT_EQ(type_of("RUNNING != st"), "bool");
  EXPECT_EQ(error_of("count + RUNNING").reason, "unknown-name");
}

TEST_F(BinderTest, names_what_may_have_been_meant) {
  const Error error = error_of("1 + coutn");
  EXPECT_EQ(error.reason, "unknown-name");
  EXPECT_EQ(error.message, "expression: there is no variable 'coutn' here\n  1 + coutn\n      ^");
  EXPECT_EQ(error.hint, "Did you mean 'count'?");
  const Error member = error_of("u->nmae");
  EXPECT_EQ(member.message, "expression: 'struct user' has no member 'nmae'\n  u->nmae\n     ^");
  EXPECT_EQ(member.hint, "Did you mean 'name'?");
}

TEST_F(BinderTest, says_of_what_there_is_no_slice) {
  const Error number = error_of("count[0..2]");
  EXPECT_EQ(number.reason, "not-an-array");
  EXPECT_EQ(number.hint, "Only an array has parts that are named so: {items[1..3]}.");
  const Error record = error_of("me[0..2]");
  EXPECT_EQ(record.reason, "not-an-array");
  EXPECT_EQ(record.hint, "Of a container the first 20 items are shown: {name}.");
}

TEST_F(BinderTest, says_where_an_optimised_out_variable_is_available) {
  const Error error = error_of("gone");
  EXPECT_EQ(error.reason, "optimized-out");
  EXPECT_EQ(error.message, "expression: 'gone' exists, but is optimised out here\n  gone\n  ^");
  EXPECT_EQ(error.hint, "It is available at lines 41, 43.");
  EXPECT_TRUE(bind_expression("gone", stock_.scope, {false, true}));
}

TEST_F(BinderTest, suggests_the_other_member_operator) {
  EXPECT_EQ(error_of("me->age").message,
            "expression: 'struct user' is not a pointer\n  me->age\n    ^");
  EXPECT_EQ(error_of("me->age").hint, "Use . instead of ->.");
  EXPECT_EQ(error_of("u.age").hint, "Use -> instead of '.'.");
  EXPECT_EQ(error_of("count.x").reason, "not-a-record");
  EXPECT_EQ(error_of("*count").reason, "not-a-pointer");
}

TEST_F(BinderTest, refuses_what_c_has_no_meaning_for) {
  EXPECT_EQ(error_of("me == me").reason, "type-mismatch");
  EXPECT_EQ(error_of("u + \"x\"").reason, "type-mismatch");
  EXPECT_EQ(error_of("ratio % 2").reason, "type-mismatch");
  EXPECT_EQ(error_of("count == \"x\"").reason, "type-mismatch");
  EXPECT_EQ(error_of("text < \"x\"").reason, "type-mismatch");
  EXPECT_EQ(error_of("*blob").reason, "type-mismatch");
  EXPECT_EQ(error_of("count / 0").reason, "type-mismatch");
  EXPECT_EQ(error_of("u == 3").reason, "type-mismatch");
  EXPECT_EQ(error_of("(nosuch *)blob").reason, "unknown-type");
}

TEST_F(BinderTest, keeps_raw_reads_to_those_with_the_right) {
  for (const std::string text : {"u + 1", "u[1]", "items[4]", "items[-1]", "(int *)u",
                                 "(int *)count", "*(int *)0x1000", "((int *)(void *)u)"}) {
    EXPECT_EQ(error_of(text).reason, "needs-raw-right") << text;
    EXPECT_EQ(error_of(text).code, ErrorCode::kDenied) << text;
    EXPECT_TRUE(bind_expression(text, stock_.scope, {true, false})) << text;
  }
  for (const std::string text :
       {"u[0]", "items[3]", "items[count]", "(struct user *)blob", "((struct user *)blob)->age",
        "(int *)text", "(void *)u", "(long)u", "u == 0", "(struct user *)u"}) {
    EXPECT_EQ(error_of(text).reason, "") << text << ": " << error_of(text).message;
  }
}

TEST_F(BinderTest, follows_inheritance_and_keeps_out_of_it_otherwise) {
  FakeScope& scope = stock_.scope;
  const Type* base =
      scope.record(TypeKind::kStruct, "Base", 8, {FakeScope::member("id", stock_.int_type, 0)});
  symbols::Member inherited = FakeScope::member("", base, 16);
  inherited.is_base_class = true;
  const Type* derived = scope.record(TypeKind::kStruct, "Derived", 24,
                                     {FakeScope::member("own", stock_.int_type, 0), inherited});
  scope.local("b", scope.pointer(base));
  scope.local("d", scope.pointer(derived));
  EXPECT_EQ(type_of("d->id"), "int");
  EXPECT_EQ(type_of("((struct Derived *)b)->own"), "int");
  EXPECT_EQ(type_of("((struct Base *)d)->id"), "int");
  EXPECT_EQ(error_of("(struct user *)d").reason, "needs-raw-right");
}

TEST_F(BinderTest, does_not_take_one_class_for_another_by_way_of_their_base) {
  FakeScope& scope = stock_.scope;
  const Type* base =
      scope.record(TypeKind::kStruct, "Base", 8, {FakeScope::member("id", stock_.int_type, 0)});
  symbols::Member inherited = FakeScope::member("", base, 0);
  inherited.is_base_class = true;
  const Type* one = scope.record(TypeKind::kStruct, "One", 16,
                                 {inherited, FakeScope::member("password", stock_.int_type, 8)});
  scope.record(TypeKind::kStruct, "Other", 16,
               {inherited, FakeScope::member("plain", stock_.int_type, 8)});
  scope.local("one", scope.pointer(one));
  EXPECT_EQ(error_of("((struct One *)(struct Base *)one)->id").reason, "");
  EXPECT_EQ(error_of("((struct Other *)(struct Base *)one)->plain").reason, "needs-raw-right");
}

TEST_F(BinderTest, reads_no_further_than_what_a_pointer_was_made_of) {
  FakeScope& scope = stock_.scope;
  const Type* letters = scope.array(stock_.char_type, 8);
  const Type* open = scope.array(stock_.char_type, std::nullopt);
  const Type* record = scope.record(
      TypeKind::kStruct, "struct packet", 24,
      {FakeScope::member("name", letters, 0), FakeScope::member("password", letters, 8),
       FakeScope::member("rest", open, 24)});
  scope.record(TypeKind::kStruct, "struct wide", 16, {FakeScope::member("name", letters, 8)});
  scope.record(TypeKind::kStruct, "struct tight", 8,
               {FakeScope::member("code", stock_.int_type, 4)});
  scope.local("p", scope.pointer(record));
  for (const std::string text :
       {"(char *)p->name", "(char *)&p->name[7]", "(char *)(void *)p->name", "len(&p->name[0])",
        "&p->name[0] == \"x\"", "(count ? &p->name[0] : text) == \"x\"",
        "((struct wide *)p->name)->name", "(struct wide *)(void *)p->name"}) {
    EXPECT_EQ(error_of(text).reason, "needs-raw-right") << text;
    EXPECT_TRUE(bind_expression(text, stock_.scope, {true, false})) << text;
  }
  for (const std::string text :
       {"p->name", "p->name == \"x\"", "len(p->name)", "((struct tight *)p->name)->code",
        "(void *)p->name", "(char *)p->rest", "(char *)text", "(char *)blob"}) {
    EXPECT_EQ(error_of(text).reason, "") << text << ": " << error_of(text).message;
  }
}

TEST_F(BinderTest, does_not_follow_a_pointer_out_of_a_union_with_numbers) {
  FakeScope& scope = stock_.scope;
  const Type* mixed = scope.record(TypeKind::kUnion, "union mixed", 8,
                                   {FakeScope::member("number", stock_.int_type, 0),
                                    FakeScope::member("who", scope.pointer(stock_.user), 0)});
  scope.local("m", scope.pointer(mixed));
  EXPECT_EQ(error_of("m->number").reason, "");
  EXPECT_EQ(error_of("m->who->age").reason, "needs-raw-right");
}

TEST_F(BinderTest, checks_a_spec_against_the_type) {
  EXPECT_TRUE(bind_template("{count:08x} {ratio:.2f} {text:>10s} {u:p}", stock_.scope, {}));
  for (const std::string text : {"{ratio:x}", "{count:.2f}", "{count:s}", "{me:d}", "{text:d}"}) {
    const auto bound = bind_template(text, stock_.scope, {});
    ASSERT_FALSE(bound) << text;
    EXPECT_EQ(bound.error().reason, "wrong-spec") << text;
  }
  const auto bound = bind_template("x {ratio:x}", stock_.scope, {});
  EXPECT_NE(bound.error().message.find("\n  x {ratio:x}\n           ^"), std::string::npos)
      << bound.error().message;
}

TEST_F(BinderTest, takes_hex_for_what_is_made_of_bytes) {
  FakeScope& scope = stock_.scope;
  const Type* byte = scope.scalar(TypeKind::kChar, "unsigned char", 1, false);
  const symbols::InMemory memory{{{symbols::OpKind::kRegister, 7, 0, 0}}, true, false};
  scope.local("digest", scope.array(byte, 32), memory);
  scope.local("line", scope.array(stock_.char_type, 8), memory);
  scope.local("bytes", scope.pointer(byte));
  for (const std::string text : {"{digest:hex}", "{line:hex}", "{text:hex}", "{text:>20.8hex}",
                                 "{u->name:hex}", "{$func:hex}", "{d=digest:hex}"}) {
    const auto bound = bind_template(text, scope, {});
    ASSERT_TRUE(bound) << text << ": " << bound.error().message;
    EXPECT_TRUE(bound->specs[0].is_hex) << text;
  }
  for (const std::string text : {"{count:hex}", "{ratio:hex}", "{items:hex}", "{u:hex}",
                                 "{bytes:hex}", "{digest:08hex}", "{digest:+hex}", "{st:hex}"}) {
    const auto bound = bind_template(text, scope, {});
    ASSERT_FALSE(bound) << text;
    EXPECT_EQ(bound.error().reason, "wrong-spec") << text;
  }
  const auto bound = bind_template("x {count:hex}", scope, {});
  EXPECT_NE(bound.error().message.find("\n  x {count:hex}\n           ^"), std::string::npos)
      << bound.error().message;
}

TEST_F(BinderTest, measures_by_a_spec_what_can_be_measured) {
  const auto bound = bind_template("{text:len} {n=items:len} {len(text)}", stock_.scope, {});
  ASSERT_TRUE(bound) << bound.error().message;
  EXPECT_EQ(bound->values[0]->name, "len(text)");
  EXPECT_EQ(bound->values[0]->root->kind, ExprKind::kLength);
  EXPECT_EQ(bound->values[1]->name, "n");
  EXPECT_EQ(bound->values[1]->root->integer, 4U);
  EXPECT_EQ(bound->values[2]->name, bound->values[0]->name);
  const auto wrong = bind_template("x {count:len}", stock_.scope, {});
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().reason, "type-mismatch");
  EXPECT_NE(wrong.error().message.find("\n  x {count:len}\n     ^"), std::string::npos)
      << wrong.error().message;
}

TEST_F(BinderTest, tests_texts_for_literals_only) {
  EXPECT_EQ(type_of("starts_with(text, \"user:\")"), "bool");
  EXPECT_EQ(type_of("contains(u->name, \"a\") && count"), "bool");
  for (const std::string text :
       {"starts_with(count, \"a\")", "contains(text, u->name)", "contains(text, \"\")",
        "contains(text, 'a')", "contains(\"abc\", \"a\")", "starts_with(text, \"a\\0b\")",
        "contains(u, \"a\")"}) {
    EXPECT_EQ(error_of(text).reason, "type-mismatch") << text;
  }
  EXPECT_NE(error_of("contains(text, count)")
                .message.find("\n  contains(text, count)\n"
                              "                 ^"),
            std::string::npos);
}

TEST_F(BinderTest, finds_members_through_this) {
  stock_.scope.local("this", stock_.scope.pointer(stock_.user));
  EXPECT_EQ(type_of("age"), "int");
  EXPECT_EQ(error_of("agee").hint, "Did you mean 'age'?");
}

}  // namespace
}  // namespace nohalt::language
