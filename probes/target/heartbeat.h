// What the tracer process tells its watchdog, in one shared page: what it holds
// and that it is alive. Written by the tracer, read by the watchdog.
#pragma once

#include <time.h>

#include <atomic>
#include <cstdint>

namespace nohalt::target {

enum class HoldPhase : std::uint32_t {
  kNothing = 0,  // nothing of the target is held
  kSeizing = 1,  // a stop was asked for and may come at any moment
  kHolding = 2,  // one of the target's own threads is stopped
  kHelper = 3,   // only the helper thread is held
};

struct Heartbeat {
  std::atomic<HoldPhase> phase;
  std::atomic<std::uint64_t> held_since;    // ns, monotonic; meaningful while holding
  std::atomic<std::uint64_t> beat;          // ns, monotonic
  std::atomic<std::uint32_t> held_threads;  // at once; 0 stands for one
  // Of a thread's whole detour, which may have stops and ways between them; 0: none now.
  std::atomic<std::uint64_t> detour_since;
};
static_assert(std::atomic<HoldPhase>::is_always_lock_free);
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

[[nodiscard]] inline std::uint64_t monotonic_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec);
}

inline constexpr std::uint64_t kMillisecond = 1'000'000;
// The longest that a thread of the target's own may be held.
inline constexpr std::uint64_t kLongestHold = 50 * kMillisecond;
// The longest silence before anything is held. Nothing of the target waits, only
// the tool does; and among a thousand busy threads an ordinary user's tracer may
// wait more than a second for its turn.
inline constexpr std::uint64_t kLongestStart = 2'000 * kMillisecond;
// The longest silence while only the helper is held. It keeps nobody waiting
// unless the target calls execve, which must collect every thread first.
inline constexpr std::uint64_t kLongestSilence = 500 * kMillisecond;

// Who holds what, since when; and for how long in all.
struct HoldReport {
  std::uint64_t count = 0;
  std::uint64_t longest_ns = 0;
  std::uint64_t total_ns = 0;

  void add(std::uint64_t ns) {
    ++count;
    total_ns += ns;
    if (ns > longest_ns) longest_ns = ns;
  }
  void add(const HoldReport& other) {
    count += other.count;
    total_ns += other.total_ns;
    if (other.longest_ns > longest_ns) longest_ns = other.longest_ns;
  }
};

}  // namespace nohalt::target
