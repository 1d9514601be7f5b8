// The census over real binaries: what share of instruction starts could be
// probed, judged for a position-independent program whose surroundings are as
// the kernel lays them out.

#include "probes/engines/inline/sites/census.h"

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

void census_of(const std::string& path, std::uint64_t base_address, SiteCensus& census,
               std::uint64_t& incomplete, std::uint64_t& unknown_jumps) {
  const auto file = test::ElfFunctions::open(path);
  ASSERT_TRUE(file) << path;
  const RuntimeAddress base{base_address};
  const auto space = usual_space(base, file->text_address().value + file->text().size());
  SiteContext context;
  context.placeable = [&](const JumpForm& form, LinkAddress at) {
    const auto starts = reachable(form, LoadBias{base.value}.to_runtime(at));
    return starts && space.has_room(*starts, 512);
  };
  for (const LinkRange& range : file->functions()) {
    FunctionInput input{file->text(), file->text_address(), range, {}, {}, {}};
    input.read_data = [&](LinkAddress a, std::span<std::uint8_t> to) { return file->read(a, to); };
    const FunctionCode code = FunctionCode::decode(input);
    if (!code.complete()) ++incomplete;
    if (code.has_unknown_indirect_jump()) ++unknown_jumps;
    for (const PlacedInstruction& placed : code.instructions()) {
      census.add(code, placed.address, context);
    }
  }
  std::cout << path << ": " << file->functions().size() << " functions, " << incomplete
            << " not understood, " << unknown_jumps << " with unknown indirect jumps\n"
            << census.report();
}

TEST(SiteCensus, MostPlacesOfTheShellNeedNobodyStopped) {
  SiteCensus census;
  std::uint64_t incomplete = 0;
  std::uint64_t unknown = 0;
  census_of("/bin/bash", 0x5555'5555'4000, census, incomplete, unknown);
  EXPECT_GT(census.total(), 100'000U);
  EXPECT_GT(census.without_stop() * 100, census.total() * 50);
}

TEST(SiteCensus, AlmostEveryFunctionOfTheCLibraryIsUnderstood) {
  SiteCensus census;
  std::uint64_t incomplete = 0;
  std::uint64_t unknown = 0;
  census_of("/lib/x86_64-linux-gnu/libc.so.6", 0x7ffff7c00000, census, incomplete, unknown);
  EXPECT_GT(census.total(), 200'000U);
}

}  // namespace
}  // namespace nohalt::inline_sites
