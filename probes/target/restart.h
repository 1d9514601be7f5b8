// What a stop does to the system call that a thread is in, and its repair.
//
// A ptrace stop wakes a sleeping call like a signal does. Most calls then return
// a restart code that the kernel acts on when the thread goes on; some return
// EINTR to the program although no signal came; calls that moved part of their
// data return a short count, which cannot be undone.
//
// Source: signal(7), "Interruption of system calls and library functions by stop
// signals", and the calls' sources; each repaired call has no effect before it
// sleeps, so that doing it again is the same as never having been woken. A
// time-out of a repaired call starts anew: such a call may return late, by no
// more than its own time-out, and never early.
#pragma once

#include <sys/user.h>

#include "probes/target/threads.h"

namespace nohalt::target {

// How well a thread that sleeps in a call bears a stop; lower is better.
enum class StopCost {
  kNone = 0,      // not in a system call
  kRestarts = 1,  // the kernel restarts the call exactly
  kRepaired = 2,  // returns EINTR; put back by repair_after_stop
  kReads = 3,     // a read that sleeps only before the first byte came
  kPartial = 4,   // may return a short count
  kUnknown = 5,   // another call: not known to bear a stop
};

[[nodiscard]] StopCost stop_cost(const BlockedCall& call);

// Registers of a stopped thread, so that letting it go disturbs it as little as
// can be: EINTR in a repairable call becomes the kernel's own "restart unless a
// handler runs" code.
[[nodiscard]] user_regs_struct repair_after_stop(const user_regs_struct& registers);

// The registers with which an interrupted call is done again from the start.
// For when nobody is left to let the kernel restart it.
[[nodiscard]] user_regs_struct rewind_call(const user_regs_struct& registers);

[[nodiscard]] inline bool in_system_call(const user_regs_struct& registers) {
  return static_cast<long>(registers.orig_rax) >= 0;
}

}  // namespace nohalt::target
