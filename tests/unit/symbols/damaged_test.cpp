// Damaged debug information gives errors: no crash, no endless loop. Bytes in
// the debug, frame and header sections of small programs are changed by a seeded
// generator; each variant is read, by every call of the interface, in a child
// process of its own under an alarm.
#include <gtest/gtest.h>
#include <libelf.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <random>

#include "probes/symbols/elf_image.h"
#include "src/base/file.h"
#include "tests/unit/symbols/programs.h"

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

struct Region {
  std::size_t offset;
  std::size_t size;
};

// Where the bytes to change are: debug sections first, some headers.
std::vector<Region> regions(const std::string& program, const std::string& bytes) {
  const Result<ElfImage> image = ElfImage::open(program, program);
  std::vector<Region> found;
  if (!image) return found;
  for (const char* name :
       {".debug_info", ".debug_abbrev", ".debug_line", ".debug_loclists", ".debug_rnglists",
        ".debug_loc", ".debug_ranges", ".debug_str", ".debug_line_str", ".eh_frame", ".debug_info",
        ".debug_abbrev", ".debug_line"}) {
    const std::optional<SectionBytes> section = image->section(name);
    if (!section || section->bytes.empty()) continue;
    const std::size_t at = bytes.find(std::string(section->bytes.begin(), section->bytes.end()));
    if (at != std::string::npos) found.push_back({at, section->bytes.size()});
  }
  found.push_back({0, 64 + 13 * 56});
  found.push_back({bytes.size() - std::min<std::size_t>(bytes.size(), 40 * 64), 40 * 64});
  return found;
}

void damage(std::string& bytes, const std::vector<Region>& where, unsigned seed) {
  std::mt19937 random(seed);
  const std::size_t changes = 1 + random() % 6;
  for (std::size_t i = 0; i < changes; ++i) {
    const Region& region = where[random() % where.size()];
    const std::size_t at = std::min(region.offset + random() % region.size, bytes.size() - 1);
    constexpr std::array<unsigned char, 6> kEdges = {0, 1, 0x7f, 0x80, 0xff, 0xfe};
    bytes[at] = static_cast<char>(random() % 2 == 0 ? kEdges[random() % kEdges.size()] : random());
  }
}

// The child's wait status after reading one variant.
int read_in_child(const std::string& bytes) {
  const int fd = memfd_create("damaged", 0);
  EXPECT_EQ(write(fd, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  const pid_t child = fork();
  if (child == 0) {
    const rlimit memory{2UL << 30U, 2UL << 30U};
    setrlimit(RLIMIT_AS, &memory);
    alarm(20);
    use_everything("/proc/self/fd/" + std::to_string(fd));
    _exit(0);
  }
  int status = -1;
  waitpid(child, &status, 0);
  close(fd);
  return status;
}

unsigned variants() {
  const char* asked = std::getenv("NOHALT_DAMAGE_VARIANTS");
  return asked == nullptr ? 1500 : static_cast<unsigned>(std::atoi(asked));
}

void damage_and_read(const Build& build) {
  const std::string program = compiled("b.c", kSource, build);
  const Result<std::string> bytes = read_file(program);
  ASSERT_TRUE(bytes.has_value());
  ASSERT_EQ(read_in_child(*bytes), 0) << "the undamaged program";
  const std::vector<Region> where = regions(program, *bytes);
  ASSERT_GT(where.size(), 5U);
  for (unsigned seed = 1; seed <= variants(); ++seed) {
    std::string damaged = *bytes;
    damage(damaged, where, seed);
    const int status = read_in_child(damaged);
    ASSERT_EQ(status, 0) << "seed " << seed << ", signal " << WTERMSIG(status);
  }
}

TEST(Damaged, dwarf_5_gives_errors_and_no_crash) {
  damage_and_read({.compiler = "gcc", .flags = "-O2 -gdwarf-5 -no-pie"});
}

TEST(Damaged, dwarf_4_gives_errors_and_no_crash) {
  damage_and_read({.compiler = "gcc", .flags = "-O1 -gdwarf-4 -fPIE -pie"});
}

TEST(Damaged, truncated_files_give_errors) {
  const std::string program = compiled("b.c", kSource, {});
  const Result<std::string> bytes = read_file(program);
  ASSERT_TRUE(bytes.has_value());
  for (std::size_t size = 0; size < bytes->size(); size += bytes->size() / 60 + 1)
    EXPECT_EQ(read_in_child(bytes->substr(0, size)), 0) << size;
}

}  // namespace
}  // namespace nohalt::symbols
