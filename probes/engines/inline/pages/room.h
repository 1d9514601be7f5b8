// Whether a target has room for what nohalt is about to map: asked first,
// because an mmap that fails half-way through is a mess, and one that takes the
// target's last room lets its next own mmap fail.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "probes/target/maps.h"
#include "probes/target/process.h"
#include "src/base/result.h"

namespace nohalt::inline_pages {

struct Demand {
  std::uint64_t mappings = 0;  // additional lines in /proc/PID/maps
  std::uint64_t bytes = 0;     // additional memory
};

// Mappings each swapped page adds: the text splits in three, one more is parked,
// and one is staged for a moment.
inline constexpr std::uint64_t kMappingsPerPage = 5;

// Reasons: "mapping-limit" (vm.max_map_count), "address-space-limit"
// (RLIMIT_AS), "locked-memory-limit" (RLIMIT_MEMLOCK, where the target locks
// its memory), "memory-cgroup-full" (memory_groups.h).
[[nodiscard]] Status check_room(const target::Process& process, const target::Maps& maps,
                                const Demand& demand);

// A soft limit in the text of /proc/PID/limits; none: unlimited or absent.
[[nodiscard]] std::optional<std::uint64_t> soft_limit(std::string_view limits,
                                                      std::string_view name);

}  // namespace nohalt::inline_pages
