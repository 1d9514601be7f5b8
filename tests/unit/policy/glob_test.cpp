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

std::string placed(std::string_view path, std::string_view root) {
  return place_in_tree(path, root).path;
}

TEST(Paths, ArePlacedInTheSourceTree) {
  EXPECT_EQ(placed("/build/x/src/a.c", "/build/x"), "src/a.c");
  EXPECT_EQ(placed("/build/x/src/a.c", "/build/x/"), "src/a.c");
  EXPECT_EQ(placed("/build/xy/a.c", "/build/x"), "/build/xy/a.c");
  EXPECT_EQ(placed("/build/x", "/build/x"), "/build/x");
  EXPECT_EQ(placed("/build/y/../x/a.c", "/build/x"), "a.c");
  EXPECT_EQ(placed("a.c", ""), "a.c");
  EXPECT_EQ(placed("", "/build"), "");
}

bool is_denied_at(std::string_view path, std::string_view root) {
  return denies_place("src/auth/**", place_in_tree(path, root));
}

TEST(Paths, ARelativeDenyHoldsFromTheRootOfWhatIsShownToLieBelowIt) {
  EXPECT_TRUE(is_denied_at("/build/x/src/auth/a.c", "/build/x"));
  EXPECT_FALSE(is_denied_at("/build/x/old/src/auth/a.c", "/build/x"));
}

TEST(Paths, ARelativeDenyHoldsAtAnyDepthOfWhatIsNotShownToLieBelowTheRoot) {
  for (const char* root : {"/build/x", "", "/", "orders", "./"}) {
    EXPECT_TRUE(is_denied_at("/elsewhere/src/auth/a.c", root)) << root;
    EXPECT_TRUE(is_denied_at("src/auth/a.c", root)) << root;
    EXPECT_TRUE(is_denied_at("orders/src/auth/a.c", root)) << root;
    EXPECT_TRUE(is_denied_at("orders/old/src/auth/a.c", root)) << root;
    EXPECT_FALSE(is_denied_at("orders/src/oauth/a.c", root)) << root;
  }
}

TEST(Paths, AnAbsolutePatternIsAboutTheWholePathWhereverTheRootIs) {
  for (const char* root : {"/build/x", "/build", "", "/elsewhere"}) {
    const Place place = place_in_tree("/build/x/src/auth/a.c", root);
    EXPECT_TRUE(denies_place("/build/x/src/auth/*", place)) << root;
    EXPECT_TRUE(allows_place("/build/x/src/auth/*", place)) << root;
    EXPECT_FALSE(denies_place("/build/y/**", place)) << root;
    EXPECT_FALSE(allows_place("/build/y/**", place)) << root;
  }
}

TEST(Paths, AnAbsoluteDenyHoldsForARelativePathThatMayBeMeant) {
  EXPECT_TRUE(denies_place("/build/x/src/auth/*", place_in_tree("src/auth/a.c", "")));
  EXPECT_FALSE(denies_place("/build/x/src/auth/*", place_in_tree("src/pay/a.c", "")));
  EXPECT_FALSE(allows_place("/build/x/src/auth/*", place_in_tree("src/auth/a.c", "")));
}

}  // namespace
}  // namespace nohalt::policy
