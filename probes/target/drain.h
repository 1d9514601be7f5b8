// Showing that code in a target can be unmapped: nobody is in it, and nobody will
// return to it.
//
// Nothing may lead into the ranges any more when this is called (the text was
// restored before), so each thread has to be seen outside only once, by its pc
// and the signal frames on its stack (stack_copy.h):
// - a thread asleep in a system call shows its pc and stack pointer in /proc;
// - an awake one is sampled in the middle of its run (sampler.h).
// Neither stops a thread. Where the kernel does not let threads be sampled, or a
// sample cannot show the whole stack, an awake thread is asked by one short stop
// of its own (survey.h).
//
// Once all are outside, so must be whoever else runs in the target's memory: as long
// as another process shares it, it may be inside, since only threads can be looked
// at. What is born afterwards comes from outside. Last come the contexts that signal
// handlers put aside (saved_context.h), and the threads once more: one may have been
// led back by a context that was gone when it was looked for.
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string>

#include "probes/target/remote_thread.h"
#include "src/base/address.h"
#include "src/base/result.h"

namespace nohalt::target {

// Nothing where it is shown; else who may still be inside, after `patience` in which
// nobody further left, or 15 s in all: such as "a thread may still be inside it".
[[nodiscard]] Result<std::optional<std::string>> wait_until_left(
    RemoteThread& thread, std::span<const RuntimeRange> code, std::chrono::milliseconds patience);

}  // namespace nohalt::target
