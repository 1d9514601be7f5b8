// How one run's control region is laid out: decided by the tool once, remembered
// by it, and never read back from the memory that the target can write.
// Threading: plain values.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "src/base/result.h"

namespace nohalt::records {

// Hits that a probe is granted at once, of what its rate allows.
inline constexpr std::uint64_t kGrantAtOnce = 100;

// What one site needs.
struct SiteNeeds {
  std::uint32_t body_size = 0;         // of a record, bytes; at most runtime::kMaxRecordBody
  std::uint64_t hits_per_second = 10;  // most that will ever be granted
};

struct SiteLayout {
  std::uint32_t site = 0;
  std::uint32_t body_size = 0;
  std::uint32_t slot_size = 0;     // header and body, a multiple of the cache line
  std::uint32_t slot_count = 0;    // power of two
  std::uint64_t slots_offset = 0;  // from the start of the region, page aligned
};

struct RunLayout {
  std::uint64_t generation = 0;   // random, one a run, never 0
  std::uint64_t region_size = 0;  // whole pages
  std::vector<SiteLayout> sites;  // in order of their index
};

// Gives each site room for about a third of a second at its rate, and for what it
// is granted at once, within [8 slots, 8 MiB]. Fails with "too-many-sites" or "record-too-large".
[[nodiscard]] Result<RunLayout> plan_layout(std::uint64_t generation,
                                            std::span<const SiteNeeds> sites);

}  // namespace nohalt::records
