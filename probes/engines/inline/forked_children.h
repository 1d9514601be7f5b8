// Looking for what a run may have left in processes and descriptor tables.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

#include "probes/engines/inline/code_image.h"

namespace nohalt::engines {

// Processes other than `pid`, with memory of their own, that map the control region
// of the run: children that were forked while it was armed.
[[nodiscard]] std::vector<pid_t> find_forked_children(pid_t pid, std::uint64_t generation);

// A descriptor of the process refers to one of nohalt's memfds.
[[nodiscard]] bool holds_our_descriptor(pid_t pid);

[[nodiscard]] bool overlaps_places(const RunPlaces& places, const RuntimeRange& range);

}  // namespace nohalt::engines
