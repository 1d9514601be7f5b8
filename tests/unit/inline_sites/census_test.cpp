// The census over real binaries: what share of instruction starts could be
// probed, judged for a position-independent program whose surroundings are as
// the kernel lays them out.

#include "tests/unit/inline_sites/census.h"

#include <gtest/gtest.h>

#include <iostream>

#include "probes/engines/inline/placement/address_space.h"
#include "tests/unit/inline_sites/elf_functions.h"

namespace nohalt::inline_sites {
namespace {

// A program at its usual place with 64 MiB of heap a little above.
inline_placement::AddressSpace usual_space(RuntimeAddress base, std::uint64_t image) {
  inline_placement::SpaceInput input;
  input.mapped = {{base, base + image}};
  const RuntimeAddress heap = base + image + (300ULL << 20);
  input.heap = RuntimeRange{heap, heap + (64ULL << 20)};
  return inline_placement::AddressSpace(input);
}

struct Seen {
  SiteCensus census;
  std::uint64_t incomplete = 0;     // functions
  std::uint64_t unknown_jumps = 0;  // functions
};

void census_of(const std::string& path, std::uint64_t base_address, bool evict, Seen& seen) {
  const auto file = test::ElfFunctions::open(path);
  ASSERT_TRUE(file) << path;
  const RuntimeAddress base{base_address};
  const auto space = usual_space(base, file->text_address().value + file->text().size());
  SiteContext context;
  context.placeable = [&](const JumpForm& form, LinkAddress at) {
    const auto starts = reachable(form, LoadBias{base.value}.to_runtime(at));
    const Spacing apart = spacing(form, LoadBias{base.value}.to_runtime(at));
    return starts && space.has_room(*starts, 64, apart.alignment, apart.remainder);
  };
  context.allow_eviction = evict;
  for (const LinkRange& range : file->functions()) {
    FunctionInput input;
    input.text = file->text();
    input.text_address = file->text_address();
    input.range = range;
    input.read_data = [&](LinkAddress a, std::span<std::uint8_t> to) { return file->read(a, to); };
    const FunctionCode code = FunctionCode::decode(input);
    if (!code.complete()) ++seen.incomplete;
    if (code.has_unknown_indirect_jump()) ++seen.unknown_jumps;
    for (const PlacedInstruction& placed : code.instructions()) {
      seen.census.add(code, placed.address, context);
    }
  }
  std::cout << path << ": " << file->functions().size() << " functions, " << seen.incomplete
            << " not understood, " << seen.unknown_jumps << " with unknown indirect jumps\n"
            << seen.census.report();
}

TEST(SiteCensus, MostPlacesOfTheShellNeedNobodyStopped) {
  Seen seen;
  census_of("/bin/bash", 0x5555'5555'4000, false, seen);
  EXPECT_GT(seen.census.total(), 100'000U);
  EXPECT_GT(seen.census.without_stop() * 100, seen.census.total() * 80);
  EXPECT_EQ(seen.incomplete, 0U);
}

TEST(SiteCensus, EvictionWidensWhereAProgramStandsLow) {
  Seen plain;
  census_of("/bin/bash", 0x40'0000, false, plain);
  Seen widened;
  census_of("/bin/bash", 0x40'0000, true, widened);
  EXPECT_GT(widened.census.without_stop(), plain.census.without_stop());
  EXPECT_GT(widened.census.without_stop() * 100, widened.census.total() * 80);
}

TEST(SiteCensus, TheCLibraryIsUnderstoodButForItsAvx512) {
  Seen seen;
  census_of("/lib/x86_64-linux-gnu/libc.so.6", 0x7fff'f7c0'0000, false, seen);
  EXPECT_GT(seen.census.total(), 200'000U);
  EXPECT_LT(seen.incomplete, 150U);
}

}  // namespace
}  // namespace nohalt::inline_sites
