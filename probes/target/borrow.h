// Getting a helper thread into a target by borrowing one of its threads once.
// Runs in the tracer process (tracer.h); others use RemoteThread.
//
// A thread is chosen (asleep in a call that the kernel restarts, else running, else asleep in
// another call that bears a stop),
// seized and stopped once. Its state goes into a forged signal frame on its own
// stack (signal_frame.h), and it is pointed at `syscall; ret` with the arguments
// of clone. When it goes on it makes the helper, and the `ret` leads it through
// rt_sigreturn back to where it was, whether or not the tracer lives. The
// order of the steps keeps that true between any two of them:
//   1. the frame is written below the red zone: nobody looks there;
//   2. registers: at the chain that leads to rt_sigreturn, so it would only
//      restore itself;
//   3. all signals blocked: the frame would put the mask back;
//   4. registers: at clone. The helper inherits the full mask.
// A thread that was in a system call is stopped on its way into clone, only because
// there is no other way to be stopped on its way out of it. There it gets its exact
// registers back, and lets the kernel look once more whether a call is to be restarted:
// only so is its call restarted as if nothing had been (the remaining time of a sleep,
// for one). The frame is then only the way home should the tracer die.
//
// While a thread is held nothing is allocated and no file is opened. All that can be
// looked at before is looked at before, and what has to be done is rehearsed: in a fresh
// copy of a process a page fault takes longer than all of the work on a stopped thread.
//
// The helper shares the descriptor table at birth and at once leaves it for an
// empty one of its own (close_range with CLOSE_RANGE_UNSHARE): no descriptor is
// ever copied, however many there are, so none is kept open by the helper and
// closing runs no file's flush. Its stack is the scratch words (gadgets.h),
// which lead any system call's `ret` to exit.
//
// Sources: ptrace(2), rt_sigreturn and restart handling in arch/x86/kernel/
// signal.c, rseq(2), clone(2), close_range(2).
#pragma once

#include <sys/types.h>

#include <string_view>

#include "probes/target/gadgets.h"
#include "probes/target/heartbeat.h"
#include "probes/target/maps.h"
#include "probes/target/memory.h"
#include "probes/target/tracees.h"
#include "src/base/result.h"

namespace nohalt::target {

// What is found out before anything is stopped.
struct BorrowPlan {
  pid_t pid = 0;
  Gadgets gadgets;
  RuntimeAddress scratch;  // already holds the exit chain
  const Memory* memory = nullptr;
};

// Gives the helper, stopped and traced. Each hold is added to `holds`, also where nothing
// came of it. Reasons: "no-borrowable-thread", "pid-limit", "stopped", "target-gone",
// "helper-did-not-start", and those of checks on the thread: "unusual-stack",
// "in-restartable-sequence", "restartable-sequence-unknown",
// "syscall-user-dispatch", "not-64-bit".
[[nodiscard]] Result<pid_t> borrow(const BorrowPlan& plan, Tracees& tracees, HoldReport& holds);

// The reason given where another session may do what this one did not.
inline constexpr const char* kSessionOver = "session-over";

// Every signal that can be blocked: the mask that a helper runs under.
inline constexpr std::string_view kHelperName = "nohalt-helper";
inline constexpr std::uint64_t kFullSignalMask = ~(1ULL << 8 | 1ULL << 18);

}  // namespace nohalt::target
