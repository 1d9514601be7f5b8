// Chooses where trampolines go: each within the addresses that its jump can
// reach, all of them in as few pages as can be.
//
// Threading: pure functions.
#pragma once

#include <cstdint>
#include <expected>
#include <span>
#include <vector>

#include "probes/engines/inline/placement/address_space.h"
#include "src/base/address.h"

namespace nohalt::inline_placement {

struct Need {
  std::vector<RuntimeRange> starts;  // where its first byte may stand
  std::uint64_t size = 0;            // bytes
  // Its first byte stands at an address that is `remainder` modulo `alignment`
  // (a power of two).
  std::uint64_t alignment = 1;
  RuntimeAddress near;  // closer is better: the probed address
  std::uint64_t remainder = 0;
};

struct Placement {
  std::vector<RuntimeRange> regions;      // to be mapped: whole pages, ascending, apart
  std::vector<RuntimeAddress> addresses;  // one a need, in the order given
};

// Code that is mapped already is part of the space's mapped ranges. On failure:
// the index of a need that has no place.
[[nodiscard]] std::expected<Placement, std::size_t> place(const AddressSpace& space,
                                                          std::span<const Need> needs);

}  // namespace nohalt::inline_placement
