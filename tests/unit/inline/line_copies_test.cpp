// Which code of a line is a copy of a statement, by the machine code and the line table.
#include "probes/engines/inline/line_copies.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/unit/symbols/programs.h"

namespace nohalt::engines {
namespace {

using symbols::Build;
using symbols::compiled;
using symbols::opened;
using symbols::ResolvedPlace;

constexpr const char* kSource = R"(volatile long sink;
#define TWICE(x) sink += (x); sink ^= (x)
__attribute__((noinline)) void unrolled(const int *from) {
  for (int i = 0; i < 4; i++) {
    sink += from[i];
    sink ^= 5;
  }
}
__attribute__((noinline)) void macro(const int *from) {
  for (int i = 0; i < 4; i++) {
    sink -= 3;
    TWICE(from[i]);
  }
}
__attribute__((noinline)) void plain(const int *from, int count) {
  for (int i = 0; i < count; i++) {
    sink += from[i];
    if (from[i] > 3) sink ^= 5;
  }
}
static inline long weighed(int v) {
  long weight = v + 7;
  sink += weight;
  return weight;
}
__attribute__((noinline)) void inlined(const int *from) {
  for (int i = 0; i < 4; i++) {
    sink ^= i;
    sink += weighed(from[i]);
  }
}
int main(int argc, char **argv) {
  int values[4] = {argc, argc + 1, argc + 2, argv != 0};
  unrolled(values);
  macro(values);
  plain(values, argc);
  inlined(values);
}
)";

const Build kGcc{.compiler = "gcc", .flags = "-O3 -gdwarf-5 -fPIE -pie"};
const Build kClang{.compiler = "clang-19", .flags = "-O2 -gdwarf-5 -fPIE -pie"};

struct Found {
  std::size_t places = 0;  // with the copies, each once
  std::size_t left_out = 0;
};

Found find(const char* location, const Build& build) {
  const auto info = opened("c.c", kSource, build);
  const auto place = info->resolve(location);
  EXPECT_TRUE(place.has_value()) << location;
  if (!place) return {};
  std::set<LinkAddress> places;
  Found found;
  for (const symbols::LineSite& site : place->sites) places.insert(site.pc);
  for (const symbols::LineRepeats& repeats : place->repeats) {
    const LineCopies copies = copies_of(*info, repeats);
    for (const symbols::LineSite& site : copies.sites) {
      EXPECT_TRUE(places.insert(site.pc).second);
      EXPECT_TRUE(site.function_range.contains(site.pc));
    }
    found.left_out += copies.left_out.size();
  }
  found.places = places.size();
  return found;
}

TEST(LineCopies, each_copy_of_an_unrolled_statement_is_a_place) {
  const Found found = find("c.c:5", kGcc);
  EXPECT_EQ(found.places, 4U);
  EXPECT_EQ(found.left_out, 0U);
}

TEST(LineCopies, the_copies_of_an_inlined_call_are_places_of_its_function_and_lines) {
  for (const char* location : {"weighed", "c.c:22", "c.c:23"}) {
    const Found found = find(location, kGcc);
    EXPECT_EQ(found.places, 4U) << location;
    EXPECT_EQ(found.left_out, 0U) << location;
  }
}

TEST(LineCopies, several_statements_of_one_macro_are_not_taken_apart_but_told) {
  const Found found = find("c.c:12", kGcc);
  EXPECT_EQ(found.places, 1U);
  EXPECT_EQ(found.left_out, 3U);
}

// One spot of the source, and two things that are done: the step is no copy of the beginning.
TEST(LineCopies, the_step_of_a_loop_over_a_range_is_no_copy_of_its_beginning) {
  constexpr const char* kLoop = R"(#include <vector>
volatile long sink;
__attribute__((noinline)) void each(const std::vector<int>& items) {
  for (int item : items) {
    sink += item;
    sink ^= 5;
  }
}
int main(int argc, char **) { each({argc, 2, 3}); }
)";
  for (const char* level : {"-O1", "-O2"}) {
    const auto info =
        opened("loop.cpp", kLoop, {.compiler = "g++", .flags = std::string(level) + " -gdwarf-5"});
    const auto place = info->resolve("loop.cpp:4");
    ASSERT_TRUE(place.has_value()) << level;
    for (const symbols::LineRepeats& repeats : place->repeats)
      EXPECT_TRUE(copies_of(*info, repeats).sites.empty()) << level;
  }
}

TEST(LineCopies, a_statement_that_was_not_copied_is_one_place) {
  for (const Build& build : {kGcc, Build{}}) {
    const Found found = find("c.c:17", build);
    EXPECT_EQ(found.places, 1U);
    EXPECT_EQ(found.left_out, 0U);
  }
}

TEST(LineCopies, without_marks_of_statements_copies_are_told) {
  const Found found = find("c.c:5", kClang);
  EXPECT_EQ(found.places, 1U);
  EXPECT_EQ(found.left_out, 3U);
}

TEST(LineCopies, code_that_is_not_optimised_has_none) {
  for (const char* compiler : {"gcc", "clang-19"}) {
    const Found found = find("c.c:5", {.compiler = compiler});
    EXPECT_EQ(found.places, 1U) << compiler;
    EXPECT_EQ(found.left_out, 0U) << compiler;
  }
}

}  // namespace
}  // namespace nohalt::engines
