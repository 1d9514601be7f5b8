// How long the machine has been up, sleep included: a clock that nobody sets back.
// What has to end in time does so by this one.
// Threading: reads the clock and /proc.
#pragma once

#include <cstdint>
#include <string>

#include "src/base/result.h"

namespace nohalt {

struct BootTime {
  std::uint64_t ms = 0;
  std::string boot_id;  // of the boot that it counts from

  friend bool operator==(const BootTime&, const BootTime&) = default;
};

[[nodiscard]] Result<BootTime> boot_time();

}  // namespace nohalt
