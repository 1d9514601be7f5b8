// Where the machine code of a body will run: its own address, those of the
// runtime's entries, and what is known of the memory that it may load plainly.
// The translator writes for these surroundings, and the machine-code check
// holds the result against the same ones.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "probes/runtime/layout.h"
#include "probes/runtime/runtime_blob.h"
#include "src/base/address.h"

namespace nohalt::inline_translate {

using runtime::RuntimeEntry;

struct Surroundings {
  RuntimeAddress load_address;  // of the body's first byte
  runtime::RuntimeEntries entries;
  // As in runtime::SiteConstants: memory of modules that cannot be unmapped.
  std::vector<runtime::StaticRange> static_ranges;

  [[nodiscard]] RuntimeAddress entry(RuntimeEntry which) const {
    return entries[static_cast<std::size_t>(which)];
  }
};

// Bytes below rsp that leaf functions use without moving it (System V ABI).
inline constexpr std::uint64_t kRedZone = 128;

}  // namespace nohalt::inline_translate
