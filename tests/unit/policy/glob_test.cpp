// Patterns and paths.
#include "policy/access/glob.h"

#include <gtest/gtest.h>

namespace nohalt::policy {
namespace {

TEST(Globs, MatchPathsPartByPart) {
  EXPECT_TRUE(path_matches("src/*.c", "src/a.c"));
  EXPECT_FALSE(path_matches("src/*.c", "src/x/a.c"));
  EXPECT_TRUE(path_matches("src/**", "src/x/a.c"));
  EXPECT_TRUE(path_matches("**/auth/**", "auth/a.c"));
  EXPECT_TRUE(path_matches("**/auth/**", "/x/y/auth/z/a.c"));
  EXPECT_FALSE(path_matches("**/auth/**", "/x/oauth/a.c"));
  EXPECT_TRUE(path_matches("a/**/b", "a/b"));
  EXPECT_TRUE(path_matches("a/**/b", "a/x/y/b"));
  EXPECT_FALSE(path_matches("a/**/b", "a/xb"));
  EXPECT_FALSE(path_matches("a?b", "a/b"));
  EXPECT_TRUE(path_matches("[a].c", "[a].c"));
  EXPECT_FALSE(path_matches("[a].c", "a.c"));
  EXPECT_FALSE(path_matches("", "a"));
  EXPECT_FALSE(path_matches("a", ""));
}

TEST(Globs, MatchFunctionsByTheirParts) {
  EXPECT_TRUE(function_matches("a::*", "a::b"));
  EXPECT_FALSE(function_matches("a::*", "a::b::c"));
  EXPECT_TRUE(function_matches("a::**", "a::b::c"));
  EXPECT_TRUE(function_matches("a::*", "a::get<std::string>"));
  EXPECT_TRUE(function_matches("a::*", "a::f(std::string)"));
  EXPECT_TRUE(function_matches("a::*", "a::operator<"));
  EXPECT_TRUE(function_matches("a::*::f", "a::operator-><x::y>::f"));
  EXPECT_TRUE(function_matches("*::operator()", "a::operator()"));
}

TEST(Globs, TakeTimeThatGrowsWithTheProductOfTheLengths) {
  std::string pattern;
  for (int i = 0; i < 500; ++i) pattern += "*a";
  EXPECT_FALSE(path_matches(pattern + "b", std::string(4000, 'a')));
}

TEST(Paths, AreNormalised) {
  EXPECT_EQ(normalised("/a//b/./c/../d/"), "/a/b/d");
  EXPECT_EQ(normalised("/../a"), "/a");
  EXPECT_EQ(normalised("./a"), "a");
  EXPECT_EQ(normalised("../a"), "");
  EXPECT_EQ(normalised("a/../../b"), "");
  EXPECT_EQ(normalised(""), "");
  EXPECT_EQ(normalised("/"), "/");
}

TEST(Paths, ArePlacedInTheSourceTree) {
  EXPECT_EQ(place_in_tree("/build/x/src/a.c", "/build/x"), "src/a.c");
  EXPECT_EQ(place_in_tree("/build/x/src/a.c", "/build/x/"), "src/a.c");
  EXPECT_EQ(place_in_tree("/build/xy/a.c", "/build/x"), "/build/xy/a.c");
  EXPECT_EQ(place_in_tree("/build/x", "/build/x"), "/build/x");
  EXPECT_EQ(place_in_tree("/build/y/../x/a.c", "/build/x"), "a.c");
  EXPECT_EQ(place_in_tree("a.c", ""), "a.c");
  EXPECT_EQ(place_in_tree("", "/build"), "");
}

}  // namespace
}  // namespace nohalt::policy
