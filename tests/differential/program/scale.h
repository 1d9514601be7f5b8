// How long the random tests run: a fixed, short number of rounds, or many times
// that where NOHALT_LONG is set. NOHALT_SEED starts elsewhere.
#pragma once

#include <cstdint>
#include <cstdlib>

namespace nohalt::program_test {

inline std::uint64_t rounds(std::uint64_t usual) {
  return std::getenv("NOHALT_LONG") != nullptr ? usual * 50 : usual;
}

inline std::uint64_t first_seed() {
  const char* given = std::getenv("NOHALT_SEED");
  return given != nullptr ? std::strtoull(given, nullptr, 0) : 1;
}

}  // namespace nohalt::program_test
