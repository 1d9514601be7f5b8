// Variables in scope and where they are.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/symbols/programs.h"

namespace nohalt::symbols {
namespace {

constexpr const char* kSource = R"(
_Thread_local int per_thread;
static int total;
static inline int twice(int value) {
  int doubled = value * 2;
  total += doubled;
  return doubled;
}
__attribute__((noinline)) int work(int n, const char *text) {
  int sum = 0;
  for (int i = 0; i < n; i++) {
    int sum = i;
    total += sum;
  }
  sum += twice(n);
  return sum + text[0];
}
int main(int argc, char **argv) {
  per_thread = argc;
  return work(argc, argv[0]) + per_thread;
}
)";

struct Compiler {
  const char* name;
  const char* version;
};

class EachCompiler : public testing::TestWithParam<Compiler> {
 protected:
  [[nodiscard]] std::unique_ptr<DebugInfo> open(const std::string& level) const {
    return opened("v.c", kSource,
                  {.compiler = GetParam().name,
                   .flags = level + " -gdwarf-" + GetParam().version + " -fPIE -pie"});
  }
  [[nodiscard]] static std::vector<Variable> at(const DebugInfo& info, const char* location) {
    const Result<ResolvedPlace> place = info.resolve(location);
    EXPECT_TRUE(place.has_value()) << location;
    Result<std::vector<Variable>> variables =
        place ? info.variables_at(place->sites.front().pc) : std::vector<Variable>{};
    EXPECT_TRUE(variables.has_value()) << location;
    return variables ? *variables : std::vector<Variable>{};
  }
};

TEST_P(EachCompiler, arguments_and_locals_of_plain_code_are_on_the_frame) {
  const std::vector<Variable> variables = at(*open("-O0"), "v.c:15");
  for (const char* name : {"n", "text", "sum"}) {
    const Variable* variable = named(variables, name);
    ASSERT_NE(variable, nullptr) << name;
    ASSERT_TRUE(std::holds_alternative<InMemory>(variable->location)) << name;
    EXPECT_TRUE(std::get<InMemory>(variable->location).on_own_frame) << name;
  }
  EXPECT_EQ(named(variables, "n")->kind, VariableKind::kArgument);
  EXPECT_TRUE(named(variables, "n")->declared_file.ends_with("/v.c"));
  EXPECT_EQ(named(variables, "sum")->kind, VariableKind::kLocal);
  EXPECT_EQ(named(variables, "i"), nullptr) << "out of its block";
}

TEST_P(EachCompiler, an_inner_variable_stands_before_the_one_it_shadows) {
  const std::vector<Variable> variables = at(*open("-O0"), "v.c:13");
  ASSERT_NE(named(variables, "sum"), nullptr);
  EXPECT_EQ(named(variables, "sum")->declared_line, 12U);
  EXPECT_GT(named(variables, "sum")->scope_depth, 0U);
  EXPECT_NE(named(variables, "i"), nullptr);
}

TEST_P(EachCompiler, an_inlined_copy_shows_its_own_variables_only) {
  const auto info = open("-O2");
  for (const LineSite& site : sites_of(*info, "twice")) {
    const Result<std::vector<Variable>> variables = info->variables_at(site.pc);
    ASSERT_TRUE(variables.has_value());
    EXPECT_NE(named(*variables, "value"), nullptr);
    EXPECT_EQ(named(*variables, "text"), nullptr);
  }
}

TEST_P(EachCompiler, a_range_of_a_location_list_excludes_its_end) {
  const auto info = open("-O2");
  const LineSite body = sites_of(*info, "work").front();
  for (std::uint64_t pc = body.function_range.begin.value; pc < body.function_range.end.value; ++pc)
    EXPECT_TRUE(info->variables_at({pc}).has_value());
  EXPECT_FALSE(info->variables_at({1}).has_value());
}

TEST_P(EachCompiler, statics_and_thread_locals_are_found_and_told_apart) {
  const auto info = open("-O0");
  const LinkAddress pc = sites_of(*info, "work").front().pc;
  const Result<std::optional<Variable>> global = info->find_global("total", pc);
  ASSERT_TRUE(global.has_value() && global->has_value());
  EXPECT_TRUE(std::get<InMemory>((*global)->location).in_static_data);
  const Result<std::optional<Variable>> local = info->find_global("per_thread", pc);
  ASSERT_TRUE(local.has_value() && local->has_value());
  const auto& place = std::get<InMemory>((*local)->location);
  EXPECT_TRUE(std::ranges::any_of(place.address,
                                  [](const Op& op) { return op.kind == OpKind::kThreadPointer; }));
  EXPECT_FALSE(place.in_static_data || place.on_own_frame);
  EXPECT_FALSE(info->find_global("absent", pc)->has_value());
}

INSTANTIATE_TEST_SUITE_P(Compilers, EachCompiler,
                         testing::Values(Compiler{"gcc", "4"}, Compiler{"gcc", "5"},
                                         Compiler{"clang-19", "4"}, Compiler{"clang-19", "5"}));

constexpr const char* kUnions = R"(
#include <stdint.h>
static union { int64_t kept; int32_t kept_parts[2]; };
int64_t plain;
__attribute__((noinline)) int64_t work(int64_t n) {
  union { int64_t whole; int32_t parts[2]; struct { int64_t outer; } named; };
  whole = n;
  kept = n;
  asm volatile("" : : "g"(&whole), "g"(&kept) : "memory");
  return parts[0] + parts[1] + kept_parts[1] + plain;
}
int main(int argc, char**) { return (int)work(argc); }
)";

class EachCompilerOfUnions : public testing::TestWithParam<Build> {};

// Read one by one, what lies over a hidden one would not be known to.
TEST_P(EachCompilerOfUnions, members_without_a_name_for_the_whole_are_of_one_variable) {
  const auto info = opened("u.cpp", kUnions, GetParam());
  const LineSite site = sites_of(*info, "u.cpp:10").front();
  const auto variables = info->variables_at(site.pc);
  ASSERT_TRUE(variables);
  EXPECT_EQ(named(*variables, "whole"), nullptr);
  EXPECT_EQ(named(*variables, "parts"), nullptr);
  const Variable* both = named(*variables, "<anonymous>");
  ASSERT_NE(both, nullptr);
  EXPECT_TRUE(both->is_nameless);
  EXPECT_EQ(both->declared_line, 6U);
  EXPECT_TRUE(both->declared_file.ends_with("u.cpp"));
  ASSERT_EQ(strip_typedefs(both->type)->members.size(), 3U);
  EXPECT_EQ(strip_typedefs(both->type)->members[1].name, "parts");
  EXPECT_FALSE(std::holds_alternative<Unavailable>(both->location));
}

TEST_P(EachCompilerOfUnions, in_a_namespace_the_one_that_lies_over_another_is_not_told) {
  const auto info = opened("u.cpp", kUnions, GetParam());
  const LinkAddress pc = sites_of(*info, "u.cpp:10").front().pc;
  const auto parts = info->find_global("kept_parts", pc);
  ASSERT_TRUE(parts);
  if (*parts) {
    EXPECT_TRUE(std::holds_alternative<Unavailable>((*parts)->location));
  }
  const auto plain = info->find_global("plain", pc);
  ASSERT_TRUE(plain && *plain);
  EXPECT_FALSE(std::holds_alternative<Unavailable>((*plain)->location));
}

INSTANTIATE_TEST_SUITE_P(Of, EachCompilerOfUnions,
                         testing::Values(Build{"g++", "-O0 -gdwarf-5"},
                                         Build{"g++", "-O2 -gdwarf-4"},
                                         Build{"clang++-19", "-O0 -gdwarf-5"},
                                         Build{"clang++-19", "-O2 -gdwarf-4"}));

TEST(Variables, an_optimised_out_variable_names_lines_where_it_is_available) {
  const auto info =
      opened("v.c", kSource, {.compiler = "gcc", .flags = "-O2 -gdwarf-5 -fPIE -pie"});
  bool found = false;
  for (const StatementRow& row : info->statements()) {
    const Result<std::vector<Variable>> variables = info->variables_at(row.pc);
    if (!variables) continue;
    for (const Variable& variable : *variables) {
      if (!std::holds_alternative<Unavailable>(variable.location)) continue;
      for (const std::uint32_t line : variable.available_lines) {
        found = true;
        EXPECT_GT(line, 1U);
        EXPECT_LT(line, 23U);
      }
    }
  }
  EXPECT_TRUE(found);
}

}  // namespace
}  // namespace nohalt::symbols
