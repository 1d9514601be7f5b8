// What a probe may cost its target. Plain values; enforced in the target at
// every hit, and counted again by the tool.
#pragma once

#include <chrono>
#include <cstdint>

namespace nohalt::policy {

struct Limits {
  std::uint64_t hits_per_second = 10;
  std::uint64_t bytes_per_second = 256 * 1024;
  std::chrono::milliseconds lease{std::chrono::minutes{10}};
  double cpu_share = 0.01;               // of one CPU, over each second; 1.0 is a whole one
  std::chrono::microseconds hold{5000};  // longest stop of any thread while arming
  std::uint32_t probes = 8;
  std::uint64_t snapshot_bytes = 32 * 1024;  // of one record
};

}  // namespace nohalt::policy
