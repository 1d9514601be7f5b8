// The fuzzer's entry over a bounded number of inputs: noise, noise that begins
// like a program, and generated programs with bytes changed.
#include <gtest/gtest.h>

#include <iostream>
#include <random>

#include "tests/differential/program/generator.h"
#include "tests/differential/program/scale.h"
#include "tests/fuzz/program/fuzz_entry.h"

namespace nohalt::program_test {
namespace {

using Random = std::mt19937_64;

std::vector<std::byte> noise(Random& random, std::size_t size) {
  std::vector<std::byte> bytes(size);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random() & 0xff);
  return bytes;
}

TEST(FuzzProgram, HoldsOverNoise) {
  const std::uint64_t first = first_seed();
  const std::uint64_t count = rounds(20000);
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    Random random(seed);
    std::vector<std::byte> bytes = noise(random, random() % 200);
    // Opcodes that exist, so that more than the first slot is looked at.
    constexpr int kOpcodes[] = {0xb7, 0xbf, 0x07, 0x0f, 0x79, 0x7b, 0x7a, 0x85, 0x95, 0x15, 0x05};
    for (std::size_t at = 4; seed % 2 == 0 && at + 8 <= bytes.size(); at += 8) {
      bytes[at] = static_cast<std::byte>(kOpcodes[random() % std::size(kOpcodes)]);
      bytes[at + 2] = std::byte{0};
      bytes[at + 3] = std::byte{0};
    }
    ASSERT_EQ(fuzz_one(bytes), "") << "seed " << seed;
  }
  std::cout << count << " inputs from seed " << first << "\n";
}

TEST(FuzzProgram, HoldsOverGeneratedProgramsWithBytesChanged) {
  const std::uint64_t first = first_seed();
  const std::uint64_t count = rounds(20000);
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    Random random(seed);
    std::vector<std::byte> bytes = to_bytes(generate(first + random() % 300));
    for (std::size_t left = random() % 3; left > 0; --left)
      bytes[random() % bytes.size()] ^= static_cast<std::byte>(1U << random() % 8);
    bytes[3] = static_cast<std::byte>(random() & 0xff);
    ASSERT_EQ(fuzz_one(bytes), "") << "seed " << seed;
  }
  std::cout << count << " inputs from seed " << first << "\n";
}

}  // namespace
}  // namespace nohalt::program_test
