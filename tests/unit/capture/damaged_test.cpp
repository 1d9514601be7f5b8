// A snapshot of a program whose debug information is damaged: what is in scope anywhere is
// built into a program, which passes its verifier, and records of any content are read.
#include <gtest/gtest.h>

#include <random>

#include "probes/capture/capture.h"
#include "probes/language/binder.h"
#include "probes/records/values/decode.h"
#include "tests/unit/symbols/damage.h"

namespace nohalt::capture {
namespace {

constexpr const char* kPlain = R"(
struct list { struct list *next; int grid[2][3]; union { int i; float f; char c[8]; }; unsigned low : 3; long high : 40; char tail[]; };
enum shade { kLight = 1, kDark = 2, kOdd = -4 };
typedef const char *name_t;
static int total;
static inline int twice(int v, struct list *l) { int r = v * 2; total += r + l->low; return r; }
__attribute__((noinline)) int work(struct list *l, enum shade s, name_t name, double d, __int128 wide) {
  struct list copy = *l;
  int many[40] = {s, name != 0};
  long sum = (long)d + (long)wide;
  for (int i = 0; i < 3; i++) { int t = twice(i + l->i, &copy); sum += t + many[i]; }
  return (int)sum + copy.i;
}
int main(int argc, char **argv) { struct list l = {0}; l.i = argc; return work(&l, kDark, argv[0], 1.5, 7) + total; }
)";

constexpr const char* kContainers = R"(
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>
struct item { std::string name; std::vector<int> numbers; std::shared_ptr<item> next; };
__attribute__((noinline)) int work(std::map<std::string, item>& map, std::unordered_map<int, item>& hash,
                                   std::variant<int, item>& one, std::optional<item>& maybe) {
  std::vector<item> copy;
  if (maybe) copy.push_back(*maybe);
  return static_cast<int>(map.size() + hash.size() + one.index() + copy.size());
}
int main(int argc, char** argv) {
  std::map<std::string, item> map{{argv[0], {}}};
  std::unordered_map<int, item> hash{{argc, {}}};
  std::variant<int, item> one = argc;
  std::optional<item> maybe = item{};
  return work(map, hash, one, maybe);
}
)";

std::vector<std::vector<std::byte>> records(std::size_t size) {
  std::mt19937 random(static_cast<unsigned>(size));
  std::vector<std::vector<std::byte>> all(4, std::vector<std::byte>(size));
  for (std::byte& byte : all[1]) byte = std::byte{1};
  for (std::byte& byte : all[2]) byte = static_cast<std::byte>(random() % 20);
  for (std::byte& byte : all[3]) byte = static_cast<std::byte>(random());
  return all;
}

void snap(const CaptureRequest& request) {
  const Result<BuiltCapture> built = build_capture(request);
  if (!built) return;
  for (const std::vector<std::byte>& record : records(built->layout.record_size)) {
    for (const values::NamedValue& named : values::decode(built->layout, record, {})) {
      bool escaped = false;
      std::ignore = values::to_text(named.value);
      std::ignore = values::tree_json(named.value, escaped);
    }
  }
}

void snap_everything(const std::string& path) {
  const auto info = symbols::DebugInfo::open(path, "damaged", {});
  if (!info) return;
  const auto place = (*info)->resolve("work");
  if (!place) return;
  std::size_t count = 0;
  for (const symbols::LineSite& site : place->sites) {
    if (++count > 4) break;
    const auto variables = (*info)->variables_at(site.pc);
    if (!variables) continue;
    CaptureRequest all;
    all.limits.items = 4;
    for (const symbols::Variable& variable : *variables) {
      if (variable.type == nullptr) continue;
      all.values.push_back(language::bind_variable(variable));
      CaptureRequest one;
      one.values.push_back(all.values.back());
      snap(one);
    }
    snap(all);
  }
}

TEST(DamagedSnapshot, of_plain_types_ends) {
  symbols::damage_and_use("c.c", kPlain, {.compiler = "gcc", .flags = "-O1 -gdwarf-5 -no-pie"}, 600,
                          snap_everything);
}

TEST(DamagedSnapshot, of_containers_ends) {
  symbols::damage_and_use("d.cpp", kContainers,
                          {.compiler = "g++", .flags = "-std=c++17 -O0 -gdwarf-5 -no-pie"}, 200,
                          snap_everything);
}

}  // namespace
}  // namespace nohalt::capture
