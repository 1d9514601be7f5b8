// What a caller's debug information says of a call, and when nothing may be said.
#include <gtest/gtest.h>

#include "tests/unit/symbols/programs.h"

namespace nohalt::symbols {
namespace {

const char* const kSource = R"(
int volatile sink;
__attribute__((noinline)) void leaf(long a, long b) {
  sink = (int)a;
  __asm__ volatile("" : : : "memory", "rdi", "rsi");
  sink = (int)b;
}
__attribute__((noinline)) void again(long a) {
  sink = (int)a;
  __asm__ volatile("" : : : "memory", "rdi");
  if (sink > 3) return again(a - sink);
}
__attribute__((noinline)) void other(long a) { sink = 2 * (int)a; }
__attribute__((noinline)) void through(long a) {
  sink = 1;
  other(a + 1);
}
__attribute__((noinline)) int caller(long n) {
  leaf(n, 42);
  sink = 5;
  again(7);
  sink = 6;
  through(8);
  sink = 7;
  return (int)n + sink;
}
int main(int argc, char** argv) { return caller(argc); }
)";

const DebugInfo& program(const char* compiler) {
  static const auto kGcc = opened("calls.c", kSource, {"gcc", "-O2 -gdwarf-5"});
  static const auto kOld = opened("calls4.c", kSource, {"gcc", "-O2 -gdwarf-4"});
  static const auto kClang = opened("calls_clang.c", kSource, {"clang-19", "-O2 -gdwarf-5"});
  const std::string_view name = compiler;
  return name == "gcc" ? *kGcc : name == "gcc, DWARF 4" ? *kOld : *kClang;
}

LinkAddress entry(const DebugInfo& info, std::string_view function) {
  for (const FunctionRange& range : info.functions())
    if (range.name == function) return range.range.begin;
  ADD_FAILURE() << function;
  return {};
}

// All calls in `caller` that are told to have entered `callee`.
std::vector<Call> calls(const DebugInfo& info, std::string_view caller, std::string_view callee) {
  std::vector<Call> found;
  for (const FunctionRange& range : info.functions()) {
    if (range.name != caller) continue;
    for (LinkAddress pc = range.range.begin + 1; pc <= range.range.end; pc = pc + 1)
      if (auto call = info.call(pc, entry(info, callee))) found.push_back(std::move(*call));
  }
  return found;
}

const Call::Parameter* parameter(const Call& call, std::uint16_t number) {
  for (const Call::Parameter& each : call.parameters)
    if (each.number == number) return &each;
  return nullptr;
}

class CallSites : public testing::TestWithParam<const char*> {};

TEST_P(CallSites, TellWhatIsCalledAndPassed) {
  const DebugInfo& info = program(GetParam());
  const std::vector<Call> found = calls(info, "caller", "leaf");
  ASSERT_EQ(found.size(), 1);
  EXPECT_TRUE(found[0].is_certain);
  EXPECT_EQ(found[0].callee, entry(info, "leaf"));
  constexpr std::uint16_t kRsi = 4;
  constexpr std::uint16_t kRdi = 5;
  const Call::Parameter* second = parameter(found[0], kRsi);
  ASSERT_NE(second, nullptr);
  ASSERT_EQ(second->value.size(), 1);
  EXPECT_EQ(second->value[0].kind, OpKind::kConstant);
  EXPECT_EQ(second->value[0].value, 42);
  EXPECT_NE(parameter(found[0], kRdi), nullptr);
}

TEST_P(CallSites, SayNothingOfAFunctionThatTheCallDoesNotName) {
  EXPECT_TRUE(calls(program(GetParam()), "caller", "main").empty());
  EXPECT_TRUE(calls(program(GetParam()), "caller", "other").empty());
}

INSTANTIATE_TEST_SUITE_P(Compilers, CallSites, testing::Values("gcc", "gcc, DWARF 4", "clang-19"));

TEST(CallSitesOfTailCalls, SayNothingOfAFunctionThatMayHaveEnteredItself) {
  const char* const source = R"(
int volatile sink;
void even(long n);
__attribute__((noinline)) void odd(long n) { if (sink < n) return even(n - 1); sink = (int)n; }
__attribute__((noinline)) void even(long n) { if (sink < n) return odd(n - 1); sink = (int)n; }
__attribute__((noinline)) void plain(long n) { sink = (int)n; }
int main(int argc, char** argv) {
  even(argc);
  sink = 1;
  plain(argc);
  sink = 2;
  return sink;
}
)";
  const auto info = opened("tails.c", source, {"gcc", "-O2 -gdwarf-5 -fno-ipa-icf"});
  EXPECT_EQ(calls(*info, "main", "plain").size(), 1);
  EXPECT_TRUE(calls(*info, "main", "even").empty());
}

}  // namespace
}  // namespace nohalt::symbols
