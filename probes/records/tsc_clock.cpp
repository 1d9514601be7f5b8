#include "probes/records/tsc_clock.h"

#include <time.h>
#include <x86intrin.h>

#include "src/base/file.h"

namespace nohalt::records {

Ticks TscClock::now() { return __rdtsc(); }

TscClock::Pair TscClock::read_pair(int clock) {
  constexpr int kTries = 16;
  Pair best;
  Ticks tightest = ~Ticks{0};
  for (int i = 0; i < kTries; ++i) {
    timespec time{};
    const Ticks before = now();
    clock_gettime(clock, &time);
    const Ticks after = now();
    if (after - before >= tightest) continue;
    tightest = after - before;
    best = {before + tightest / 2, time.tv_sec * 1'000'000'000LL + time.tv_nsec};
  }
  return best;
}

Result<TscClock> TscClock::calibrate(const std::string& source) {
  const auto name = read_file(source);
  if (!name || name->substr(0, name->find('\n')) != "tsc")
    return fail(ErrorCode::kRefused, "clock-not-tsc",
                "The kernel does not keep time by the time stamp counter, so hits cannot be timed "
                "in the target.",
                "Use a machine whose current_clocksource is tsc.");
  TscClock clock;
  clock.first_ = read_pair(CLOCK_MONOTONIC);
  const timespec pause{.tv_sec = 0, .tv_nsec = 20'000'000};
  nanosleep(&pause, nullptr);
  clock.refresh();
  return clock;
}

void TscClock::refresh() {
  const Pair later = read_pair(CLOCK_MONOTONIC);
  if (later.ticks > first_.ticks && later.ns > first_.ns)
    ns_per_tick_ =
        static_cast<double>(later.ns - first_.ns) / static_cast<double>(later.ticks - first_.ticks);
  wall_ = read_pair(CLOCK_REALTIME);
}

std::int64_t TscClock::wall_ns(Ticks at) const {
  const auto distance = static_cast<std::int64_t>(at - wall_.ticks);
  return wall_.ns + static_cast<std::int64_t>(static_cast<double>(distance) * ns_per_tick_);
}

}  // namespace nohalt::records
