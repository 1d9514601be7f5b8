// Which process is meant. A pid alone can be reused; a pid with its start time
// cannot. Whoever holds a pidfd as well learns of the end at once.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace nohalt {

struct ProcessIdentity {
  pid_t pid = 0;
  std::uint64_t start_time = 0;  // field 22 of /proc/PID/stat, clock ticks since boot

  friend constexpr bool operator==(const ProcessIdentity&, const ProcessIdentity&) = default;
};

}  // namespace nohalt
