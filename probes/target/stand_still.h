// Changing code that threads may be in the middle of: all of a target's threads are
// stopped, each is looked at, a few bytes are written, all go on. Runs in the tracer
// process (tracer.h); others use RemoteThread::stand_still.
//
// What is written are bytes of a file that the target has mapped, in one call a
// patch and by the tracer itself: so it is done while all stand still or not at all,
// whoever is killed when. A system call of the helper's could come late, when the
// tracer was ended meanwhile and everybody runs again.
//
// Code of a library that may be unloaded is written in place (text_patches.h), which
// makes a private copy of its page: what is mapped there is looked at while all stand,
// and goes with the library.
//
// A thread between two instructions of a window is led to the same place in the moved
// copy of them, which does the same and leads back behind the window, so that this is
// right whether the patch follows or not. Where a signal handler interrupted a window
// nothing is moved: all are let go, and it is tried again, a few times.
//
// What a stop would cost (restart.h) decides the moment: as long as a thread was just
// seen asleep in a call that cannot be begun anew, or in one that nothing is known of,
// nobody is stopped. What a stopped thread's call returned is put right at once, so
// that the repair stays if the tracer is ended. A transfer that begins after the last
// look and has to wait half-way may still come back short, as by any signal.
//
// The longest that anybody is held is the caller's to say.
#pragma once

#include <sys/types.h>

#include <array>
#include <chrono>
#include <cstdint>

#include "probes/target/heartbeat.h"
#include "probes/target/memory.h"
#include "probes/target/text_patches.h"
#include "probes/target/tracees.h"
#include "src/base/address.h"
#include "src/base/result.h"

namespace nohalt::target {

inline constexpr std::size_t kMostWindows = 32;
inline constexpr std::size_t kMostDetours = 4 * kMostWindows;
inline constexpr std::size_t kLongestPatch = 8;

// A place between two instructions, and the same place in their moved copy.
struct Detour {
  RuntimeAddress from;
  RuntimeAddress to;
};

// Bytes for a file that is open in the helper.
struct FilePatch {
  std::uint64_t remote_file = 0;
  std::uint64_t offset = 0;
  std::uint32_t size = 0;
  std::array<std::byte, kLongestPatch> bytes{};
};

struct StandStillOrder {
  // Where nobody may be while the patches are written, but at the begin of a detour.
  std::array<RuntimeRange, kMostWindows> windows{};
  std::array<FilePatch, kMostWindows> patches{};
  std::array<TextPatch, kMostWindows> text_patches{};
  std::array<Detour, kMostDetours> detours{};
  std::uint32_t window_count = 0;
  std::uint32_t patch_count = 0;
  std::uint32_t text_patch_count = 0;
  std::uint32_t detour_count = 0;
  std::uint64_t longest_hold = 0;  // ns
};

// The longest that threads may be held by this, whatever is allowed: the watchdog
// ends the tracer a little later.
inline constexpr std::uint64_t kLongestStandStill = 40 * kMillisecond;

// How long so many threads are expected to be held.
[[nodiscard]] std::chrono::microseconds expected_stand_still(std::size_t threads);

// All patches are written, or none and all threads go on as they were (some perhaps
// in the moved copy). Reasons: "thread-in-transfer" (a call that bears no stop),
// "thread-does-not-stop", "hold-too-long", "threads-change", "stopped",
// "handler-in-window", "stack-not-seen", "target-gone", and those of TextPatches.
[[nodiscard]] Status stand_still(const StandStillOrder& order, pid_t pid, pid_t helper,
                                 const Memory& memory, Tracees& tracees, HoldReport& holds);

}  // namespace nohalt::target
