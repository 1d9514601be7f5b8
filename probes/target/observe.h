// One short look at where a thread is, by stopping it once. Runs in the tracer
// process (tracer.h); others use RemoteThread::observe.
#pragma once

#include <sys/types.h>

#include "probes/target/heartbeat.h"
#include "probes/target/tracees.h"
#include "src/base/address.h"
#include "src/base/result.h"

namespace nohalt::target {

struct ThreadSpot {
  RuntimeAddress program_counter;
  RuntimeAddress stack_pointer;
};

// The thread goes on as if nothing had been; the hold is added to `holds`.
// Reasons: "thread-gone", "thread-does-not-stop".
[[nodiscard]] Result<ThreadSpot> observe(Tracees& tracees, pid_t tid, HoldReport& holds);

}  // namespace nohalt::target
