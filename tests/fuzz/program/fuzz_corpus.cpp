// Writes generated programs as files, for the fuzzer to start from.
#include <fstream>
#include <iostream>

#include "tests/differential/program/generator.h"
#include "tests/fuzz/program/fuzz_entry.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: fuzz_program_corpus FOLDER\n";
    return 2;
  }
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    const auto bytes = nohalt::program_test::to_bytes(nohalt::program_test::generate(seed));
    std::ofstream out(std::string(argv[1]) + "/program-" + std::to_string(seed), std::ios::binary);
    out.write(reinterpret_cast<const char*>(bytes.data()),
              static_cast<std::streamsize>(bytes.size()));
    if (!out.flush()) return 1;
  }
  return 0;
}
