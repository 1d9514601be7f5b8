// The libFuzzer target: build with clang, then
//   fuzz_program -max_len=4096 CORPUS
// A corpus to start from: fuzz_program_corpus CORPUS.
#include <cstddef>
#include <cstdint>
#include <cstdio>

#include "tests/fuzz/program/fuzz_entry.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string wrong = nohalt::program_test::fuzz_one(std::as_bytes(std::span(data, size)));
  if (!wrong.empty()) {
    std::fprintf(stderr, "%s\n", wrong.c_str());
    __builtin_trap();
  }
  return 0;
}
