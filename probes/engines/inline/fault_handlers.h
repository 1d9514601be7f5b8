// Whether the target's handlers for faults could recover by the faulting pc,
// which a displaced instruction changes. Asked of the kernel, in the target.
#pragma once

#include <vector>

#include "probes/symbols/debug_info.h"
#include "probes/target/remote_thread.h"
#include "src/base/result.h"

namespace nohalt::engines {

// Where the program holds handlers that are known to end it after any fault. Rust's
// standard library gives every program one: it tells a stack overflow, by the
// address that was touched and not by the pc, and aborts; for any other fault it
// puts the default action back, so that the instruction faults again and ends the
// process (library/std/src/sys/unix/stack_overflow.rs, since 2014).
// Reads debug information: to be asked before the target is touched.
using FaultReporters = std::vector<RuntimeAddress>;
[[nodiscard]] FaultReporters known_fault_reporters(const symbols::DebugInfo& info, LoadBias bias);

// Fine where SIGSEGV, SIGBUS and SIGFPE each have no handler, a known reporter, or
// one that is one-shot (SA_RESETHAND): such a handler reports a crash, it cannot
// serve a program that goes on after faults. Else reason "fault-handler".
[[nodiscard]] Status check_fault_handlers(target::RemoteThread& thread,
                                          const FaultReporters& reporters);

}  // namespace nohalt::engines
