// Whether the target's handlers for faults could recover by the faulting pc,
// which a displaced instruction changes. Asked of the kernel, in the target.
#pragma once

#include "probes/target/remote_thread.h"
#include "src/base/result.h"

namespace nohalt::engines {

// Fine where SIGSEGV, SIGBUS and SIGFPE each have no handler, or one that is
// one-shot (SA_RESETHAND): such a handler reports a crash, it cannot serve a
// program that goes on after faults. Else reason "fault-handler".
[[nodiscard]] Status check_fault_handlers(target::RemoteThread& thread);

}  // namespace nohalt::engines
