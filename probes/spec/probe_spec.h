// What one probe is, as it was asked for: the words of a person, with units
// read but nothing resolved. The steps that follow turn it into a place, a
// program and a Grant.
//
// Threading: plain values.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace nohalt::spec {

enum class ProbeKind { kLog, kSnapshot, kCalls };

// Limits as asked for. Absent: the default of the probe's kind. The policy
// lowers what is above its maxima.
struct AskedLimits {
  std::optional<std::uint64_t> hits_per_second;    // --limit N/s
  std::optional<std::uint64_t> hits;               // --hits N: the run ends after so many
  std::optional<std::chrono::milliseconds> lease;  // --for
  std::optional<double> cpu_share;                 // --cpu; 1.0 is one whole CPU
  std::optional<std::chrono::milliseconds> hold;   // --allow-stop=TIME

  friend bool operator==(const AskedLimits&, const AskedLimits&) = default;
};

// How much of one value is captured.
struct CaptureSize {
  std::uint32_t depth = 3;  // --depth: levels of members and pointers
  std::uint32_t string_bytes = 256;
  std::uint32_t items = 20;

  friend bool operator==(const CaptureSize&, const CaptureSize&) = default;
};

inline constexpr std::uint32_t kMostFrames = 256;

struct ProbeSpec {
  ProbeKind kind = ProbeKind::kLog;
  std::string location;  // file.c:142, file.c:function, function, Class::method
  // kCalls: `location` is a function, whose calls are shown with arguments and return value.
  std::string message;                // log: the template with {expr}
  std::vector<std::string> captures;  // --capture: expressions beside those of the message
  std::string condition;              // --if; empty: always
  std::uint32_t stack_frames = 0;     // --stack: the most that are shown; 0: no stack
  bool allow_stop = false;            // --allow-stop: all threads may be stopped to place it
  AskedLimits limits;
  CaptureSize size;

  friend bool operator==(const ProbeSpec&, const ProbeSpec&) = default;
};

}  // namespace nohalt::spec
