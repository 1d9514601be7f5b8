// Where the bytes that a value was made of lay in the target's memory, and which of
// them the value shows: what another tool may be told of it, and nothing more.
//
// What lies in nodes of its own, as a list's and a tree's items do, is left out: a
// record has the items, but not where they were.
//
// Threading: pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "probes/capture/layout.h"
#include "probes/records/values/value.h"
#include "src/base/address.h"

namespace nohalt::values {

struct Placed {
  std::optional<RuntimeAddress> address;  // always, but of a value that is not in memory
  std::vector<std::byte> bytes;
  struct Part {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
  };
  std::vector<Part> shown;   // of the bytes; in no order
  std::vector<Part> hidden;  // by policy
};

// Whether a text, a number, or an object with a vtable pointer may be shown.
using IsShown = std::function<bool(const Value& value)>;

// The value itself, which is at `at`, comes first, then what it leads to. Empty: it is
// not there.
[[nodiscard]] std::vector<Placed> place(const capture::Node& value,
                                        std::optional<RuntimeAddress> at,
                                        std::span<const std::byte> body, std::uint32_t max_items,
                                        const IsShown& is_shown);

}  // namespace nohalt::values
