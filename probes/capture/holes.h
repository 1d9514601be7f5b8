// Ranges of a value's bytes that are not copied.
//
// Threading: pure functions.
#pragma once

#include <cstdint>
#include <vector>

#include "probes/capture/layout.h"

namespace nohalt::capture {

// The parts of [0, size) that are in no hole. The holes are sorted.
[[nodiscard]] std::vector<Hole> gaps_between(const std::vector<Hole>& holes, std::uint64_t size);
// Sorts and joins.
void tidy(std::vector<Hole>& holes);

}  // namespace nohalt::capture
