// The process that ends the tracer when it holds the target for too long.
//
// Why three processes: whatever stops or ends the tool (Ctrl-Z, a debugger, the
// out-of-memory killer, a frozen cgroup) must not leave a thread of the target
// stopped. Only the kernel can let a stopped thread go without its tracer's help,
// and it does so when the tracer ends. So ptrace is done by a small process of
// its own that does nothing else (tracer.h), which the watchdog may end at any
// moment without taking the tool's records and audit trail along: the tool sees
// a broken socket and reports it. Every step of the tracer leaves the target in
// a state from which it goes on by itself (borrow.h), so ending it is safe.
//
// - The tool stops or dies: the tracer finishes the helper and ends by itself.
// - The tracer stops, in whatever it does: the watchdog kills it; SIGKILL needs no
//   help from it.
// - The tracer dies: the kernel lets go; the watchdog ends.
// - The watchdog dies: nothing is held because of it.
// Each lives in a session of its own, out of reach of a terminal's signals.
#pragma once

#include <sys/types.h>

#include "probes/target/heartbeat.h"
#include "src/base/result.h"

namespace nohalt::target {

// Starts the watchdog over a tracer; returns its pid, for the caller to reap. It
// ends when the tracer ends. `tracer` is a pidfd; `heartbeat` a shared mapping.
[[nodiscard]] Result<pid_t> start_watchdog(int tracer, const Heartbeat& heartbeat);

// Asks for a place before all ordinary threads, as far as the user may have one:
// what holds a thread of a busy target must not wait for processor time. For a
// process that mostly sleeps; not inherited by its children, so that a parent does
// it for them: they would wait for their first turn. 0 is the calling thread.
void put_before_others(pid_t thread);

// The same for the calling thread, until this object goes. A tool that waits for its
// turn among a thousand threads is silent for so long that its session ends.
class BeforeOthers {
 public:
  BeforeOthers();
  BeforeOthers(const BeforeOthers&) = delete;
  BeforeOthers& operator=(const BeforeOthers&) = delete;
  ~BeforeOthers();

 private:
  int policy_;
  int priority_ = 0;
  int nice_;
};

}  // namespace nohalt::target
