// Waiting for the helper thread that a borrowed thread makes (borrow.h). The helper is
// traced from birth and stops before its first instruction. Runs in the tracer process.
#pragma once

#include <sys/types.h>

#include <vector>

#include "probes/target/tracees.h"
#include "src/base/result.h"

namespace nohalt::target {

// Whose helper is waited for, and which threads there were before.
struct Birth {
  pid_t pid = 0;
  pid_t borrowed = 0;
  std::vector<pid_t> before;
};

// Gives the helper, stopped. Unless the clone is known to be done, a borrowed thread that
// has its mask back, with no helper about, failed to make one. Reasons: "pid-limit",
// "target-gone", "helper-did-not-start".
[[nodiscard]] Result<pid_t> wait_for_birth(const Birth& birth, bool clone_is_known_done,
                                           Tracees& tracees);

}  // namespace nohalt::target
