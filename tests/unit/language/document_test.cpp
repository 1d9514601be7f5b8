// docs/expressions.md says what the language is: every example in it is read here.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "probes/language/binder.h"
#include "tests/unit/language/fake_scope.h"

namespace nohalt::language {
namespace {

using test::FakeScope;
using test::StockScope;

// The lines of the document's code blocks, by what the block says it is.
std::map<std::string, std::vector<std::string>> blocks() {
  std::map<std::string, std::vector<std::string>> all;
  std::ifstream document(EXPRESSIONS_DOCUMENT);
  std::string block;
  for (std::string line; std::getline(document, line);) {
    if (line.starts_with("```"))
      block = block.empty() ? line.substr(3) : "";
    else if (!block.empty())
      all[block].push_back(line);
  }
  return all;
}

class DocumentTest : public testing::Test {
 protected:
  DocumentTest() {
    FakeScope& scope = stock_.scope;
    const symbols::InMemory memory{{{symbols::OpKind::kRegister, 7, 0, 0}}, true, false};
    const Type* byte = scope.scalar(TypeKind::kChar, "unsigned char", 1, false);
    const Type* size = scope.scalar(TypeKind::kInteger, "unsigned long", 8, false);
    const Type* data =
        scope.record(TypeKind::kStruct, "_Alloc_hider", 8,
                     {FakeScope::member("_M_p", scope.pointer(stock_.char_type), 0)});
    const Type* string = scope.record(
        TypeKind::kStruct, "std::__cxx11::basic_string<char, std::char_traits<char> >", 32,
        {FakeScope::member("_M_dataplus", data, 0),
         FakeScope::member("_M_string_length", size, 8)});
    scope.local("digest", scope.array(byte, 32), memory);
    scope.local("name", string, memory);
  }

  // "reason: example"
  static std::pair<std::string, std::string> split(const std::string& line) {
    const std::size_t colon = line.find(": ");
    return {line.substr(0, colon), line.substr(colon + 2)};
  }

  StockScope stock_;
  std::map<std::string, std::vector<std::string>> blocks_ = blocks();
};

TEST_F(DocumentTest, has_examples_of_every_kind) {
  EXPECT_GT(blocks_["expressions"].size(), 15U);
  EXPECT_GT(blocks_["messages"].size(), 3U);
  EXPECT_GT(blocks_["errors"].size(), 20U);
  EXPECT_GT(blocks_["message-errors"].size(), 5U);
  EXPECT_EQ(blocks_.size(), 6U) << "a block of a kind that nobody reads (besides c and ebnf)";
}

TEST_F(DocumentTest, every_expression_is_one) {
  for (const std::string& text : blocks_["expressions"]) {
    const auto bound = bind_expression(text, stock_.scope, {});
    EXPECT_TRUE(bound) << bound.error().message;
  }
}

TEST_F(DocumentTest, every_message_is_one) {
  for (const std::string& text : blocks_["messages"]) {
    const auto bound = bind_template(text, stock_.scope, {});
    EXPECT_TRUE(bound) << bound.error().message;
  }
}

TEST_F(DocumentTest, every_error_is_the_one_that_it_says) {
  for (const std::string& line : blocks_["errors"]) {
    const auto [reason, text] = split(line);
    const auto bound = bind_expression(text, stock_.scope, {});
    ASSERT_FALSE(bound) << line;
    EXPECT_EQ(bound.error().reason, reason) << line;
  }
  for (const std::string& line : blocks_["message-errors"]) {
    const auto [reason, text] = split(line);
    const auto bound = bind_template(text, stock_.scope, {});
    ASSERT_FALSE(bound) << line;
    EXPECT_EQ(bound.error().reason, reason) << line;
  }
}

TEST_F(DocumentTest, what_needs_the_right_raw_is_an_expression_with_it) {
  for (const std::string& line : blocks_["errors"]) {
    const auto [reason, text] = split(line);
    if (reason != "needs-raw-right") continue;
    const auto bound = bind_expression(text, stock_.scope, {.allow_raw = true});
    EXPECT_TRUE(bound) << bound.error().message;
  }
}

// The table of reasons lists each that an example shows.
TEST_F(DocumentTest, every_error_is_explained) {
  std::ifstream document(EXPRESSIONS_DOCUMENT);
  std::stringstream all;
  all << document.rdbuf();
  for (const char* kind : {"errors", "message-errors"})
    for (const std::string& line : blocks_[kind])
      EXPECT_NE(all.str().find("`" + split(line).first + "`"), std::string::npos) << line;
}

}  // namespace
}  // namespace nohalt::language
