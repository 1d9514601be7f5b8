// What of a program's data may be read without asking the kernel.
#include "probes/engines/inline/executable.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace nohalt::engines
