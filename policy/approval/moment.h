// When something was, by two clocks: the wall's for people, and the one since boot,
// which cannot be set back, so that nothing lives longer by setting a clock.
//
// Threading: plain values; now_moment reads the clocks.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "src/base/boot_clock.h"

namespace nohalt::policy {

struct Moment {
  std::int64_t wall_ns = 0;
  BootTime boot;

  friend bool operator==(const Moment&, const Moment&) = default;
};

[[nodiscard]] Result<Moment> now_moment();

// How long ago, by the clock that says longer. Absent: nobody can tell, because the
// machine was started anew since, or because it lies ahead.
[[nodiscard]] std::optional<std::chrono::milliseconds> age_of(const Moment& then,
                                                              const Moment& now);

}  // namespace nohalt::policy
