// Damaged debug information gives errors: no crash, no endless loop, in any call of the
// interface.
#include <gtest/gtest.h>

#include <cstdlib>

#include "src/base/file.h"
#include "tests/unit/symbols/damage.h"

namespace nohalt::symbols {
namespace {

constexpr const char* kSource = R"(
struct inner { int a : 3; unsigned b : 9; double d; };
struct outer { struct outer *next; struct inner in[2][3]; union { int i; float f; }; };
enum kind { kOne, kTwo = -4 };
static int total;
static inline int twice(int v) { int r = v * 2; total += r; return r; }
__attribute__((noinline)) int work(struct outer *o, enum kind k, int n) {
  int sum = k;
  for (int i = 0; i < n; i++) { int t = twice(i + o->i); sum += t; if (sum > 99) { long u = sum; total ^= (int)u; } }
  return sum;
}
int main(int argc, char **argv) {
  struct outer o = {0};
  o.i = argc;
  return work(&o, kTwo, argc + 3) + twice(total) + (argv != 0);
}
)";

void use_types(const Type* type, int depth) {
  if (type == nullptr || depth > 6) return;
  std::ignore = strip_typedefs(type);
  use_types(type->target, depth + 1);
  for (const Member& member : type->members) use_types(member.type, depth + 1);
}

// Every call of the interface; what comes out does not matter.
void use_everything(const std::string& path) {
  ::setenv("NOHALT_NO_CACHE", "1", 1);
  const Result<std::unique_ptr<DebugInfo>> opened_info = DebugInfo::open(path, "damaged", {});
  if (!opened_info) return;
  const DebugInfo& info = **opened_info;
  std::ignore = info.functions();
  std::ignore = info.landing_pads({{0}, {UINT64_MAX}});
  for (const char* location : {"work", "twice", "main", "b.c:9", "b.c:7", "b.c:1", "nothing"})
    std::ignore = info.resolve(location);
  std::size_t count = 0;
  for (const StatementRow& row : info.statements()) {
    if (++count > 60) break;
    std::ignore = info.describe(row.pc);
    const Result<std::vector<Variable>> variables = info.variables_at(row.pc);
    if (!variables) continue;
    for (const Variable& variable : *variables) use_types(variable.type, 0);
    std::ignore = info.find_global("total", row.pc);
    use_types(info.find_type("struct outer", row.pc), 0);
    use_types(info.find_type("unsigned int *", row.pc), 0);
  }
}

TEST(Damaged, dwarf_5_gives_errors_and_no_crash) {
  damage_and_use("b.c", kSource, {.compiler = "gcc", .flags = "-O2 -gdwarf-5 -no-pie"}, 1500,
                 use_everything);
}

TEST(Damaged, dwarf_4_gives_errors_and_no_crash) {
  damage_and_use("b.c", kSource, {.compiler = "gcc", .flags = "-O1 -gdwarf-4 -fPIE -pie"}, 1500,
                 use_everything);
}

TEST(Damaged, truncated_files_give_errors) {
  const std::string program = compiled("b.c", kSource, {});
  const Result<std::string> bytes = read_file(program);
  ASSERT_TRUE(bytes.has_value());
  for (std::size_t size = 0; size < bytes->size(); size += bytes->size() / 60 + 1)
    EXPECT_EQ(use_in_child(bytes->substr(0, size), use_everything), 0) << size;
}

}  // namespace
}  // namespace nohalt::symbols
