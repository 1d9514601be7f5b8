// Whether a hit may read the time stamp counter, which a process can forbid
// itself: rdtsc then faults.
#pragma once

#include "probes/target/remote_thread.h"
#include "src/base/result.h"

namespace nohalt::engines {

// The setting belongs to each thread and is handed on to those that it starts;
// asked is the borrowed thread, whose setting the helper has inherited. Reason
// "tsc-disabled".
[[nodiscard]] Status check_tsc_allowed(target::RemoteThread& thread);

}  // namespace nohalt::engines
