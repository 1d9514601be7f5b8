// Bytes in which a library keeps an object of a type that only the running program knows,
// as std::function and std::any do. What is in them, and whether it is hidden, nobody can
// tell.
//
// Threading: pure functions.
#pragma once

#include <cstdint>
#include <optional>

#include "probes/symbols/types.h"

namespace nohalt::capture::containers {

struct Erased {
  std::uint64_t begin = 0;  // in what keeps them
  std::uint64_t end = 0;
};

// Absent: the type keeps no such bytes. Of libstdc++'s function the first word is not among
// them, since it may be the address of a function, which then names it.
[[nodiscard]] std::optional<Erased> erased_bytes(const symbols::Type* type);

// Whether the member of such a type lies in them, or may.
[[nodiscard]] bool is_erased(const symbols::Type* type, const symbols::Member& member);

}  // namespace nohalt::capture::containers
