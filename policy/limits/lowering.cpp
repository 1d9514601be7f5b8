// One template does the comparison; the rest is how each quantity is spelled.
#include "policy/limits/lowering.h"

#include <fmt/format.h>

namespace nohalt::policy {

namespace {

template <class T, class Spell>
T lower_one(const std::optional<T>& asked, T standard, T maximum, const char* name, Spell spell,
            std::vector<std::string>& notes) {
  const T wanted = asked.value_or(standard);
  if (!(wanted > maximum)) return wanted;
  if (asked)
    notes.push_back(fmt::format("{} {} was lowered to {}, the most that the policy allows.", name,
                                spell(wanted), spell(maximum)));
  return maximum;
}

}  // namespace

LoweredLimits lower_limits(const AskedLimits& asked, const Limits& defaults, const Limits& maxima) {
  const auto rate = [](std::uint64_t n) { return fmt::format("{}/s", n); };
  const auto bytes = [](std::uint64_t n) { return fmt::format("{}B/s", n); };
  const auto lease = [](std::chrono::milliseconds d) { return duration_text(d); };

  LoweredLimits result;
  Limits& granted = result.granted;
  granted.hits_per_second = lower_one(asked.hits_per_second, defaults.hits_per_second,
                                      maxima.hits_per_second, "--limit", rate, result.notes);
  granted.bytes_per_second =
      lower_one(asked.bytes_per_second, defaults.bytes_per_second, maxima.bytes_per_second,
                "the bytes of its records,", bytes, result.notes);
  granted.lease =
      lower_one(asked.lease, defaults.lease, maxima.lease, "--for", lease, result.notes);
  granted.cpu_share = lower_one(asked.cpu_share, defaults.cpu_share, maxima.cpu_share, "--cpu",
                                percent_text, result.notes);
  granted.hold = lower_one(asked.hold, defaults.hold, maxima.hold, "the hold of a thread,",
                           duration_text, result.notes);
  granted.probes = maxima.probes;
  granted.snapshot_bytes = maxima.snapshot_bytes;
  return result;
}

Limits builtin_maxima() {
  Limits maxima;
  maxima.hits_per_second = 100'000'000;
  // Enough for records of 4 KiB at that rate, so that the rate is what binds.
  maxima.bytes_per_second = maxima.hits_per_second * 4096;
  maxima.lease = std::chrono::hours{1};
  maxima.cpu_share = 1.0;
  maxima.hold = std::chrono::milliseconds{40};
  return maxima;
}

std::string duration_text(std::chrono::microseconds duration) {
  const auto us = duration.count();
  if (us % 1000 != 0) return fmt::format("{}us", us);
  if (us % 1'000'000 != 0) return fmt::format("{}ms", us / 1000);
  const auto seconds = us / 1'000'000;
  if (seconds % 3600 == 0 && seconds != 0) return fmt::format("{}h", seconds / 3600);
  if (seconds % 60 == 0 && seconds != 0) return fmt::format("{}m", seconds / 60);
  return fmt::format("{}s", seconds);
}

std::string percent_text(double share) { return fmt::format("{:.6g}%", share * 100); }

}  // namespace nohalt::policy
