// Whether a process is in a state in which it may be touched at all. Reads only;
// asked again under the lock, since all of it may change.
//
// Reasons: "not-permitted" (whose process it is, which right is missing),
// "self", "kernel-thread", "target-gone" (a zombie), "traced", "stopped",
// "frozen", "not-64-bit", "shadow-stack", "seccomp-filter", "mid-vfork",
// "shares-memory", "memory-sharing-unknown", "userfaultfd", "slow-mapping". What
// cannot be read counts as a refusal too.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "probes/target/maps.h"
#include "probes/target/process.h"
#include "src/base/result.h"

namespace nohalt::target {

[[nodiscard]] Status check_attachable(const Process& process);

// The part that matters to taking a probe off, too: a process that shares the memory
// by now keeps nobody from it, only from unmapping what it may be in (drain.h).
[[nodiscard]] Status check_detachable(const Process& process);

// The part that needs nothing but the facts; for listings.
[[nodiscard]] Status check_facts(const ProcessFacts& facts, pid_t pid);

// The type of a file system whose pages may take arbitrarily long to come (FUSE,
// network), with a mapping on it; from /proc/PID/mountinfo. Pure.
[[nodiscard]] std::optional<std::string> slow_mapping(const Maps& maps, std::string_view mountinfo);

}  // namespace nohalt::target
