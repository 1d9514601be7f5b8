// What time it was when a hit read the time stamp counter.
//
// Two pairs (counter, CLOCK_MONOTONIC), each taken where a reading of the clock
// is enclosed most tightly between two of the counter, give the rate; a pair with
// CLOCK_REALTIME gives the offset. refresh() takes both again: the rate over the
// ever longer distance, the offset so that a step of the wall clock is followed.
//
// Valid only where the kernel itself keeps time by the counter, as it then has
// checked that it is constant and the same on every CPU.
// Threading: one thread.
#pragma once

#include <cstdint>
#include <string>

#include "src/base/result.h"

namespace nohalt::records {

using Ticks = std::uint64_t;

class TscClock {
 public:
  // Takes about 20 ms. Refused with "clock-not-tsc" where the kernel does not keep
  // time by the counter; the path is a parameter for tests.
  [[nodiscard]] static Result<TscClock> calibrate(
      const std::string& source =
          "/sys/devices/system/clocksource/clocksource0/current_clocksource");

  [[nodiscard]] static Ticks now();

  void refresh();
  [[nodiscard]] std::int64_t wall_ns(Ticks at) const;  // since the epoch
  [[nodiscard]] double ns(Ticks length) const { return static_cast<double>(length) * ns_per_tick_; }
  [[nodiscard]] Ticks ticks(double seconds) const {
    return static_cast<Ticks>(seconds * 1e9 / ns_per_tick_);
  }

 private:
  struct Pair {
    Ticks ticks = 0;
    std::int64_t ns = 0;
  };
  TscClock() = default;
  [[nodiscard]] static Pair read_pair(int clock);

  Pair first_;  // monotonic
  Pair wall_;
  double ns_per_tick_ = 1;
};

}  // namespace nohalt::records
