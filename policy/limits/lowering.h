// Bringing what was asked for under what is allowed. Nothing is lowered in
// silence: each lowering comes with a sentence for the person who asked.
//
// Threading: pure functions.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "policy/limits/limits.h"

namespace nohalt::policy {

// What a probe asks for; absent means the default.
struct AskedLimits {
  std::optional<std::uint64_t> hits_per_second;
  std::optional<std::uint64_t> bytes_per_second;
  std::optional<std::chrono::milliseconds> lease;
  std::optional<double> cpu_share;
  std::optional<std::chrono::microseconds> hold;

  friend bool operator==(const AskedLimits&, const AskedLimits&) = default;
};

struct LoweredLimits {
  Limits granted;
  std::vector<std::string> notes;  // "--limit 1000/s was lowered to 50/s."; empty: nothing was
};

// Defaults where nothing is asked, each value at most that of `maxima`.
// `probes` and `snapshot_bytes` are taken from the maxima: nobody asks for them here.
[[nodiscard]] LoweredLimits lower_limits(const AskedLimits& asked, const Limits& defaults,
                                         const Limits& maxima);

// The built-in maxima: 100000000/s, 100%, a lease of one hour, 40 ms of hold.
[[nodiscard]] Limits builtin_maxima();

// Quantities as options spell them: 90s, 10m, 5ms; 0.005 as 0.5%.
[[nodiscard]] std::string duration_text(std::chrono::microseconds duration);
[[nodiscard]] std::string percent_text(double share);

}  // namespace nohalt::policy
