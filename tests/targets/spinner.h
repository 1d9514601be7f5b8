// What the spinner debuggee tells the tests, in a file that both map.
#pragma once

#include <atomic>
#include <cstdint>

namespace nohalt::targets {

inline constexpr int kOriginalResult = 0x11111111;
inline constexpr int kPatchedResult = 0x22222222;

struct SpinnerStatus {
  std::atomic<std::uint64_t> ready;     // 1: all threads run
  std::atomic<std::uint64_t> site;      // address of the function; its immediate is at +1
  std::atomic<std::uint64_t> original;  // calls that returned kOriginalResult
  std::atomic<std::uint64_t> patched;   // calls that returned kPatchedResult
  std::atomic<std::uint64_t> bad;       // any other result, or a register that changed
};

}  // namespace nohalt::targets
