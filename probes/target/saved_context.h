// Contexts that a target has put aside: a signal handler that interrupted certain
// code and then switched to another stack (swapcontext(3) in a scheduler's timer
// signal) leaves the interrupted registers on a stack that no thread runs on, and
// goes on from there whenever it likes.
//
// They are looked for in all of the target's private writable memory that holds
// anything: a pc in the code that stands among the registers of a signal frame, as
// the kernel lays them, wherever the frame was copied to. A mere address in the code
// does not count: the dead part of every stack that a probe was hit on has some.
//
// Searching costs a second for each few GiB, so it is done only where a target can
// do such a thing: it catches a signal, and the names in one of its files tell that
// it switches contexts. What is not seen so: docs/threat-model.md.
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <span>
#include <string>

#include "probes/target/maps.h"
#include "src/base/address.h"
#include "src/base/result.h"

namespace nohalt::target {

// True also where that cannot be read.
[[nodiscard]] bool may_put_contexts_aside(pid_t pid, const Maps& maps);

// Why the code may be entered from a context that was put aside, or nothing.
// `meanwhile` is called every now and then.
[[nodiscard]] Result<std::optional<std::string>> find_context_in(
    pid_t pid, std::span<const RuntimeRange> code, const std::function<Status()>& meanwhile);

}  // namespace nohalt::target
