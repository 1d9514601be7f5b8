// Which thread to borrow: pure ranking over what /proc says, and the checks on a
// thread that is stopped.
#pragma once

#include <sys/user.h>

#include <vector>

#include "probes/target/borrow.h"
#include "probes/target/restart.h"

namespace nohalt::target {

struct Candidate {
  pid_t tid = 0;
  StopCost cost = StopCost::kNone;
};

// Best first; threads that must not be stopped are left out, those in a partial
// transfer among them: its short count could not be undone.
[[nodiscard]] std::vector<Candidate> rank_candidates(const std::vector<ThreadState>& threads);

// The candidates of a process right now; stops looking at a few sure ones.
[[nodiscard]] Result<std::vector<Candidate>> find_candidates(pid_t pid);

// Room for a part of a stack, made before anybody is held.
inline constexpr std::size_t kSignalFrameSearch = 65536;
using StackWords = std::vector<std::uint64_t>;

// Whether a stopped thread can carry a frame that reaches down to `lowest`, and
// is nowhere that a detour would be felt. Reads only.
[[nodiscard]] Status check_stopped_thread(const BorrowPlan& plan, const Maps& maps,
                                          Tracees& tracees, pid_t tid,
                                          const user_regs_struct& registers, RuntimeAddress lowest,
                                          StackWords& words);

}  // namespace nohalt::target
