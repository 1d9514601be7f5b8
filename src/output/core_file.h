// An ELF core file of one thread, for debuggers. What is in it is decided elsewhere;
// this writes it down.
//
// Segments are as small as what they hold, down to a byte, and lie beside each other in
// no order of pages: debuggers read ranges, and say of what lies in none that it cannot
// be read. The bytes of files that nobody writes to are not in it: they are named, and
// read from there.
//
// Source: System V ABI, chapter 5 (program header, notes); Linux's fs/binfmt_elf.c (what
// its notes hold) and sys/procfs.h.
//
// Threading: pure.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "src/base/address.h"

namespace nohalt::output {

struct CoreFile {
  pid_t pid = 0;
  pid_t tid = 0;
  std::string command;
  std::string exe;
  std::array<std::uint64_t, 17> registers{};  // by DWARF number, the pc last
  using Vector = std::array<std::byte, 16>;
  std::optional<std::array<Vector, 16>> vectors;  // xmm0 to xmm15; absent: none is known
  std::vector<std::pair<std::uint64_t, std::uint64_t>> auxiliary;
  struct File {
    RuntimeRange range;
    std::uint64_t offset = 0;  // bytes
    std::string path;
  };
  std::vector<File> files;
  struct Segment {
    RuntimeAddress begin;
    std::vector<std::byte> bytes;
  };
  std::vector<Segment> memory;  // by address
};

[[nodiscard]] std::string core_file_bytes(const CoreFile& core);

}  // namespace nohalt::output
