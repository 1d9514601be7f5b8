// What is checked of arbitrary bytes taken as a capture program. One function
// for the fuzzer and for the bounded test.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "probes/program/program.h"

namespace nohalt::program_test {

// Bytes: record size (2, little-endian), flags (1), seed (1), then slots. Empty:
// all is well; otherwise what is not, with the listing.
[[nodiscard]] std::string fuzz_one(std::span<const std::byte> bytes);

// The bytes that stand for a program.
[[nodiscard]] std::vector<std::byte> to_bytes(const program::Program& program);

}  // namespace nohalt::program_test
