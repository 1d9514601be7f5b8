// The code that is mapped into a target, as bytes: position independent, without
// relocations or writable data, checked for that when the tool is built.
// Ownership: static storage. Threading: constant.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "probes/runtime/layout.h"
#include "src/base/address.h"

namespace nohalt::runtime {

// Where the entries are in a target, in RuntimeEntry order.
using RuntimeEntries = std::array<RuntimeAddress, static_cast<std::size_t>(RuntimeEntry::kCount)>;

struct RuntimeBlob {
  std::span<const std::byte> code;
  // Offset of each entry from the start of the code, in RuntimeEntry order.
  std::array<std::uint32_t, static_cast<std::size_t>(RuntimeEntry::kCount)> offsets;

  [[nodiscard]] std::uint64_t entry(std::uint64_t base, RuntimeEntry which) const {
    return base + offsets[static_cast<std::size_t>(which)];
  }
};

// Stack that an entry takes below the return address its caller pushed, with
// all it calls; proven by a test that paints the stack.
inline constexpr std::uint32_t kRuntimeStack = 128;

[[nodiscard]] const RuntimeBlob& runtime_blob();

}  // namespace nohalt::runtime
