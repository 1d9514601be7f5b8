#include "tests/unit/symbols/damage.h"

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
#include <vector>

#include "probes/symbols/elf_image.h"
#include "src/base/file.h"

namespace nohalt::symbols {

namespace {

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

unsigned asked_or(unsigned variants) {
  const char* asked = std::getenv("NOHALT_DAMAGE_VARIANTS");
  return asked == nullptr ? variants : static_cast<unsigned>(std::atoi(asked));
}

}  // namespace

int use_in_child(const std::string& bytes, const UseProgram& use) {
  const int fd = memfd_create("damaged", 0);
  EXPECT_EQ(write(fd, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  const pid_t child = fork();
  if (child == 0) {
    const rlimit memory{2UL << 30U, 2UL << 30U};
    setrlimit(RLIMIT_AS, &memory);
    alarm(20);
    use("/proc/self/fd/" + std::to_string(fd));
    _exit(0);
  }
  int status = -1;
  waitpid(child, &status, 0);
  close(fd);
  return status;
}

void damage_and_use(const std::string& name, const std::string& source, const Build& build,
                    unsigned variants, const UseProgram& use) {
  const std::string program = compiled(name, source, build);
  const Result<std::string> bytes = read_file(program);
  ASSERT_TRUE(bytes.has_value());
  ASSERT_EQ(use_in_child(*bytes, use), 0) << "the undamaged program";
  const std::vector<Region> where = regions(program, *bytes);
  ASSERT_GT(where.size(), 5U);
  for (unsigned seed = 1; seed <= asked_or(variants); ++seed) {
    std::string damaged = *bytes;
    damage(damaged, where, seed);
    const int status = use_in_child(damaged, use);
    ASSERT_EQ(status, 0) << "seed " << seed << ", signal " << WTERMSIG(status);
  }
}

}  // namespace nohalt::symbols
