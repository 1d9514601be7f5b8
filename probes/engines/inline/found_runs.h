// What runs, living or dead, have left in a process: found by the names of
// mappings, read from control pages that the target could have forged.
#pragma once

#include <chrono>
#include <optional>
#include <vector>

#include "probes/engines/inline/inline_engine.h"
#include "probes/runtime/layout.h"
#include "probes/target/maps.h"
#include "probes/target/memory.h"
#include "probes/target/stand_still.h"

namespace nohalt::engines {

struct FoundControl {
  FoundRun run;
  RuntimeRange range;           // of the control region's mapping
  runtime::ControlPage claims;  // counts cut to what the arrays hold
};

[[nodiscard]] std::vector<FoundControl> find_controls(const target::Maps& maps,
                                                      const target::Memory& memory);

// Whether a mapping is named as one of nohalt's memfds.
[[nodiscard]] bool is_named_ours(const target::Mapping& mapping);

// Whether the run is this process's own. A forked child has the page of its
// parent's run, which is nothing to it.
[[nodiscard]] bool is_of(const FoundControl& control, const target::Process& process);

// A run whose tool cannot be relied on any more: it is gone and does not renew the
// lease from where it cannot be seen, or lapsed so long ago that it must be stopped.
[[nodiscard]] bool is_orphan(const FoundRun& run);

// Where nothing says how long threads may be held to take a dead run off.
inline constexpr std::chrono::microseconds kLongestRecoveryHold{target::kLongestStandStill / 1000};

// As recover(), and takes off the run `own` too, which the caller knows to be
// over: how arming and removal go on after a session that was lost.
[[nodiscard]] Result<RecoverReport> recover_with(
    const target::Process& process, std::string_view own,
    std::chrono::microseconds longest_hold = kLongestRecoveryHold);

inline constexpr int kSessionAttempts = 3;

}  // namespace nohalt::engines
