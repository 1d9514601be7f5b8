// Where no punned jump has room because of the bytes that follow: change those
// too. The next instruction (the successor) becomes a jump of its own, to a
// trampoline that does what it did and goes back, and the freedom in that jump's
// bytes widens where the first one can lead. Each of the two instructions is
// changed within its own bytes, so both starts keep their meaning and nobody
// need be stopped.
//
// Source: "successor eviction" of Duck, Gao, Roychoudhury, "Binary Rewriting
// without Control Flow Recovery" (PLDI 2020), section 3.2.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "probes/engines/inline/sites/jump_form.h"

namespace nohalt::inline_sites {

struct Eviction {
  JumpForm first;   // over the probed instruction; its fixed bytes are the second's new ones
  JumpForm second;  // over the successor; has given bytes
};

// Possible evictions, roughly the nearest landings first, for instructions
// of these lengths at the start of `bytes`. `accept` is asked for each, and the
// first `most` that it accepts are handed back. All bytes stay on one page.
[[nodiscard]] std::vector<Eviction> evictions(std::span<const std::uint8_t> bytes,
                                              std::uint8_t length, std::uint8_t successor_length,
                                              std::uint64_t address, std::size_t most,
                                              const std::function<bool(const Eviction&)>& accept);

}  // namespace nohalt::inline_sites
