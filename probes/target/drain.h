// Showing that code in a target can be unmapped: no thread is in it, and none
// will return to it.
//
// Nothing may lead into the ranges any more when this is called (the text was
// restored before), so each thread has to be seen outside only once, by its pc
// and every word of its stack (stack_copy.h):
// - a thread asleep in a system call shows its pc and stack pointer in /proc;
// - an awake one is sampled in the middle of its run (sampler.h).
// Neither stops a thread. Where the kernel does not let threads be sampled, or a
// sample cannot show the whole stack, an awake thread is asked by one short stop
// of its own (survey.h).
#pragma once

#include <chrono>
#include <span>

#include "probes/target/remote_thread.h"
#include "src/base/address.h"
#include "src/base/result.h"

namespace nohalt::target {

// False: for `patience` no further thread was seen outside, or it took 15 s.
[[nodiscard]] Result<bool> wait_until_left(RemoteThread& thread, std::span<const RuntimeRange> code,
                                           std::chrono::milliseconds patience);

}  // namespace nohalt::target
