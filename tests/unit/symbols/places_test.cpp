// From locations to places in the code.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/symbols/programs.h"

namespace nohalt::symbols {
namespace {

constexpr const char* kSource = R"(static int calls;
static inline int square(int v) {
  int r = v * v;
  calls += r;
  return r;
}
__attribute__((noinline)) int work(int n) {
  int sum = 0;
  for (int i = 0; i < n; i++)
    sum += square(i + n);
  return sum;
}
// a comment
int main(int argc, char **argv) {
  return work(argc) + square(argc) + (argv != 0);
}
)";

const Build kPlain{};
const Build kOptimized{.compiler = "gcc", .flags = "-O2 -gdwarf-5 -fPIE -pie"};

std::string reason(const DebugInfo& info, std::string_view location) {
  const Result<ResolvedPlace> place = info.resolve(location);
  return place ? "resolved" : place.error().reason;
}

TEST(Places, a_line_is_found_by_base_name_and_by_path_suffix) {
  const auto info = opened("a.c", kSource, kPlain);
  const Result<ResolvedPlace> by_name = info->resolve("a.c:10");
  ASSERT_TRUE(by_name.has_value());
  ASSERT_EQ(by_name->sites.size(), 1U);
  EXPECT_EQ(by_name->sites[0].line, 10U);
  EXPECT_EQ(by_name->sites[0].function, "work");
  const Result<ResolvedPlace> by_path = info->resolve(by_name->sites[0].file + ":10");
  ASSERT_TRUE(by_path.has_value());
  EXPECT_EQ(by_path->sites[0].pc, by_name->sites[0].pc);
}

TEST(Places, a_site_lies_in_its_statement_and_function) {
  const auto info = opened("a.c", kSource, kOptimized);
  for (const char* location : {"a.c:3", "a.c:10", "a.c:15", "work", "square"}) {
    const Result<ResolvedPlace> place = info->resolve(location);
    ASSERT_TRUE(place.has_value()) << location;
    for (const LineSite& site : place->sites) {
      EXPECT_TRUE(site.function_range.contains(site.pc)) << location;
      EXPECT_EQ(site.statement.begin, site.pc) << location;
      EXPECT_LT(site.statement.begin, site.statement.end) << location;
      EXPECT_LE(site.statement.end, site.function_range.end) << location;
    }
  }
}

TEST(Places, every_inlined_copy_is_a_site_and_names_its_host) {
  const auto info = opened("a.c", kSource, kOptimized);
  const Result<ResolvedPlace> place = info->resolve("square");
  ASSERT_TRUE(place.has_value());
  ASSERT_EQ(place->sites.size(), 2U);
  std::vector<std::string> hosts;
  for (const LineSite& site : place->sites) {
    EXPECT_EQ(site.function, "square");
    hosts.push_back(site.inlined_into);
  }
  std::ranges::sort(hosts);
  EXPECT_EQ(hosts, (std::vector<std::string>{"main", "work"}));
}

TEST(Places, a_function_means_the_place_after_its_prologue) {
  const auto info = opened("a.c", kSource, kPlain);
  const Result<ResolvedPlace> place = info->resolve("work");
  ASSERT_TRUE(place.has_value());
  EXPECT_EQ(place->sites[0].line, 8U);
  EXPECT_GT(place->sites[0].pc, place->sites[0].function_range.begin);
}

TEST(Places, the_opening_line_of_a_function_means_its_body) {
  const auto info = opened("a.c", kSource, kPlain);
  EXPECT_EQ(sites_of(*info, "a.c:7")[0].pc, sites_of(*info, "work")[0].pc);
}

TEST(Places, a_line_without_code_names_the_nearest_on_both_sides) {
  const auto info = opened("a.c", kSource, kPlain);
  const Result<ResolvedPlace> place = info->resolve("a.c:13");
  ASSERT_FALSE(place.has_value());
  EXPECT_EQ(place.error().reason, "no-code-on-line");
  EXPECT_NE(place.error().hint.find("a.c:12"), std::string::npos);
  EXPECT_NE(place.error().hint.find("a.c:14"), std::string::npos);
}

TEST(Places, what_is_not_there_is_named) {
  const auto info = opened("a.c", kSource, kPlain);
  EXPECT_EQ(reason(*info, "b.c:3"), "no-such-file");
  EXPECT_EQ(reason(*info, "wrok"), "no-such-function");
  EXPECT_NE(info->resolve("wrok").error().hint.find("work"), std::string::npos);
  for (const char* location : {"", ":", "a.c:", "a.c:0", "a.c:0x", ":3", "a.c:99999999999"})
    EXPECT_EQ(reason(*info, location), "malformed-location") << location;
}

TEST(Places, an_ambiguous_file_name_lists_the_candidates) {
  const std::string folder = scratch_folder() + "/ambiguous";
  ASSERT_TRUE(shell("mkdir -p " + folder + "/left " + folder + "/right && cd " + folder +
                    " && echo 'int f(void) { return 1; }' > left/p.c"
                    " && echo 'int f(void); int main(void) { return f(); }' > right/p.c"
                    " && gcc -g left/p.c right/p.c -o program"));
  const auto info = DebugInfo::open(folder + "/program", "program", {});
  ASSERT_TRUE(info.has_value());
  const Result<ResolvedPlace> place = (*info)->resolve("p.c:1");
  ASSERT_FALSE(place.has_value());
  EXPECT_EQ(place.error().reason, "ambiguous-file");
  EXPECT_NE(place.error().hint.find("left/p.c"), std::string::npos);
  EXPECT_NE(place.error().hint.find("right/p.c"), std::string::npos);
  EXPECT_TRUE((*info)->resolve("left/p.c:1").has_value());
}

TEST(Places, a_static_function_is_told_from_its_namesake_by_its_file) {
  const std::string folder = scratch_folder() + "/namesakes";
  ASSERT_TRUE(
      shell("mkdir -p " + folder + " && cd " + folder +
            " && echo 'static int f(int n) { return n; } int g(void) { return f(1); }' > l.c"
            " && echo 'int g(void); static int f(int n) { return n + 1; }"
            " int main(void) { return f(2) + g(); }' > r.c && gcc -g l.c r.c -o program"));
  const auto info = DebugInfo::open(folder + "/program", "program", {});
  ASSERT_TRUE(info.has_value());
  EXPECT_EQ(sites_of(**info, "f").size(), 2U);
  const auto left = sites_of(**info, "l.c:f");
  ASSERT_EQ(left.size(), 1U);
  EXPECT_TRUE(left[0].file.ends_with("/l.c"));
  EXPECT_EQ(sites_of(**info, "r.c:f").size(), 1U);
  EXPECT_EQ(reason(**info, "r.c:g"), "no-such-function");
  EXPECT_EQ(reason(**info, "m.c:f"), "no-such-file");
}

TEST(Places, methods_and_templates_are_found_by_any_qualified_suffix) {
  constexpr const char* kClasses = R"(
namespace shop {
struct Order {
  int total(int n);
  int total(long n);
};
int Order::total(int n) { return n + 1; }
int Order::total(long n) { return (int)n + 2; }
template <class T> [[gnu::noinline]] T twice(T v) { return v + v; }
}
int main(int argc, char **) {
  shop::Order o;
  return o.total(argc) + o.total(5L) + shop::twice(argc) + (int)shop::twice(2.5);
}
)";
  const auto info = opened("b.cpp", kClasses, {.compiler = "g++", .flags = "-O0 -gdwarf-5"});
  EXPECT_EQ(sites_of(*info, "Order::total").size(), 2U);
  EXPECT_EQ(sites_of(*info, "shop::Order::total").size(), 2U);
  EXPECT_EQ(sites_of(*info, "Order::total")[0].function, "shop::Order::total");
  EXPECT_EQ(sites_of(*info, "twice").size(), 2U);
  EXPECT_EQ(sites_of(*info, "twice<int>").size(), 1U);
  EXPECT_EQ(reason(*info, "Other::total"), "no-such-function");
}

TEST(Places, discarded_functions_have_no_place) {
  constexpr const char* kUnused = R"(
__attribute__((noinline)) int unused(int n) { return n * 3; }
int main(int argc, char **argv) { return argc + (argv != 0); }
)";
  const auto info = opened(
      "c.c", kUnused, {.compiler = "gcc", .flags = "-O0 -g -ffunction-sections -Wl,--gc-sections"});
  EXPECT_EQ(reason(*info, "unused"), "no-such-function");
  for (const StatementRow& row : info->statements()) EXPECT_NE(row.line, 2U);
}

TEST(Places, describe_names_the_innermost_inlined_function) {
  const auto info = opened("a.c", kSource, kOptimized);
  for (const LineSite& site : sites_of(*info, "square"))
    EXPECT_EQ(info->describe(site.pc)->function, "square");
  EXPECT_FALSE(info->describe({1}).has_value());
}

TEST(Places, pieces_of_the_function_that_lie_elsewhere_are_named) {
  const auto info = opened("cold.c",
                           "__attribute__((cold, noinline)) int rare(int a) { return a + 1; }\n"
                           "__attribute__((noinline)) int work(int a) {\n"
                           "  if (__builtin_expect(a > 9, 0)) a = rare(a * 3) + rare(a);\n"
                           "  return a * 7;\n"
                           "}\n"
                           "int main(int argc, char** argv) { (void)argv; return work(argc); }\n",
                           {.flags = "-O2 -gdwarf-5 -freorder-blocks-and-partition"});
  const LineSite site = sites_of(*info, "work").front();
  ASSERT_EQ(site.other_pieces.size(), 1U);
  EXPECT_FALSE(site.function_range.overlaps(site.other_pieces.front()));
  EXPECT_TRUE(sites_of(*info, "rare").front().other_pieces.empty());
}

constexpr const char* kUnrolled = R"(volatile long sink;
__attribute__((noinline)) void sum(const int *from) {
  for (int i = 0; i < 4; i++) {
    sink += from[i];
    sink ^= 5;
  }
}
int main(int argc, char **argv) {
  int values[4] = {argc, argc + 1, argc + 2, argv != 0};
  sum(values);
}
)";

TEST(Places, gcc_marks_each_copy_of_a_statement_in_an_unrolled_loop) {
  const auto info =
      opened("u.c", kUnrolled, {.compiler = "gcc", .flags = "-O3 -gdwarf-5 -fPIE -pie"});
  const Result<ResolvedPlace> place = info->resolve("u.c:4");
  ASSERT_TRUE(place.has_value());
  EXPECT_EQ(place->sites.size(), 1U);
  ASSERT_EQ(place->repeats.size(), 1U);
  const LineRepeats& repeats = place->repeats[0];
  EXPECT_EQ(repeats.sites.size(), 1U);
  EXPECT_EQ(repeats.others.size(), 3U);
  EXPECT_EQ(std::ranges::count_if(repeats.marks, &StatementMark::is_same), 4);
  EXPECT_TRUE(std::ranges::is_sorted(repeats.marks, {}, &StatementMark::pc));
  for (const LineSite& other : repeats.others) EXPECT_EQ(other.function, "sum");
}

TEST(Places, clang_marks_none_and_each_run_of_rows_counts) {
  const auto info =
      opened("u.c", kUnrolled, {.compiler = "clang-19", .flags = "-O2 -gdwarf-5 -fPIE -pie"});
  const Result<ResolvedPlace> place = info->resolve("u.c:4");
  ASSERT_TRUE(place.has_value());
  ASSERT_EQ(place->repeats.size(), 1U);
  EXPECT_EQ(place->repeats[0].others.size(), 3U);
  EXPECT_TRUE(place->repeats[0].marks.empty());
}

TEST(Places, parts_of_a_line_of_other_columns_are_no_repeats) {
  for (const char* compiler : {"gcc", "clang-19"}) {
    const auto info = opened("u.c", kUnrolled, {.compiler = compiler});
    const Result<ResolvedPlace> place = info->resolve("u.c:3");
    ASSERT_TRUE(place.has_value());
    EXPECT_TRUE(place->repeats.empty()) << compiler;
  }
}

}  // namespace
}  // namespace nohalt::symbols
