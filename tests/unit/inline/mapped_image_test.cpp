// Where a program is mapped, and what of its data may be read without asking the
// kernel.
#include "probes/engines/inline/mapped_image.h"

#include <gtest/gtest.h>
#include <sys/auxv.h>

#include <array>
#include <cstring>

#include "tests/unit/inline/debuggee.h"
#include "tests/unit/target/child.h"

namespace nohalt::engines {
namespace {

std::vector<RuntimeRange> parts_of(std::string_view text, std::uint64_t begin, std::uint64_t end) {
  const auto maps = target::parse_maps(text);
  EXPECT_TRUE(maps);
  return maps ? readable_parts(*maps, {{begin}, {end}}) : std::vector<RuntimeRange>{};
}

TEST(ReadableParts, AdjacentMappingsAreOne) {
  EXPECT_EQ(parts_of("10000-12000 r--p 00000000 08:01 7 /bin/a\n"
                     "12000-13000 rw-p 00002000 08:01 7 /bin/a\n"
                     "13000-20000 rw-p 00000000 00:00 0\n",
                     0x10800, 0x14000),
            (std::vector<RuntimeRange>{{{0x10800}, {0x14000}}}));
}

TEST(ReadableParts, AGuardPageIsLeftOut) {
  EXPECT_EQ(parts_of("10000-12000 rw-p 00000000 08:01 7 /bin/a\n"
                     "12000-13000 ---p 00000000 00:00 0\n"
                     "13000-14000 rw-p 00000000 00:00 0\n",
                     0x10000, 0x14000),
            (std::vector<RuntimeRange>{{{0x10000}, {0x12000}}, {{0x13000}, {0x14000}}}));
}

TEST(ReadableParts, SharedMemoryMayGoAway) {
  EXPECT_TRUE(parts_of("10000-12000 rw-s 00000000 08:01 7 /dev/shm/x\n", 0x10000, 0x12000).empty());
}

// Puts a copy of its own that no file backs where its program begins.
bool replace_entry_page() {
  void* entry = reinterpret_cast<void*>(page_floor(::getauxval(AT_ENTRY)));
  void* copy = ::mmap(nullptr, kPageSize, PROT_READ | PROT_WRITE | PROT_EXEC,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  std::memcpy(copy, entry, kPageSize);
  return ::mremap(copy, kPageSize, kPageSize, MREMAP_MAYMOVE | MREMAP_FIXED, entry) == entry;
}

TEST(LocateImages, AProgramThatReplacedItsOwnTextIsRefused) {
  const Debuggee places;
  test::Child child([](test::Shared& shared) {
    shared.other = replace_entry_page() ? 1 : 2;
    shared.ready = 1;
    for (;;) ::pause();
    return 0;
  });
  child.wait_ready();
  ASSERT_EQ(child.shared().other, 1U);
  const auto maps = target::read_maps(child.pid());
  EXPECT_EQ(locate_images(child.pid(), *maps, places.files()).error().reason,
            "executable-not-mapped");
}

// As a process may make it that replaced what the kernel gave it (PR_SET_MM_AUXV).
TEST(EntryPoint, AListThatDoesNotNameItIsRefused) {
  constexpr std::array<std::uint64_t, 4> kOther{AT_PAGESZ, kPageSize, AT_NULL, 0};
  constexpr std::array<std::uint64_t, 4> kNamed{AT_ENTRY, 0x401000, AT_NULL, 0};
  const auto text = [](const auto& words) {
    return std::string_view(reinterpret_cast<const char*>(words.data()), sizeof words);
  };
  EXPECT_EQ(entry_point(text(kNamed)), RuntimeAddress{0x401000});
  EXPECT_EQ(entry_point(text(kOther)).error().reason, "executable-not-mapped");
  EXPECT_EQ(entry_point({}).error().reason, "executable-not-mapped");
}

}  // namespace
}  // namespace nohalt::engines
