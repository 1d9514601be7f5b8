// What the spinner debuggee tells the tests, in a file that both map.
#pragma once

#include <atomic>
#include <cstdint>

namespace nohalt::targets {

struct SpinnerStatus {
  std::atomic<std::uint64_t> ready;  // 1: all threads run
  std::atomic<std::uint64_t> calls;  // of the functions that may be probed
  std::atomic<std::uint64_t> bad;    // wrong results, or registers that changed
};

}  // namespace nohalt::targets
