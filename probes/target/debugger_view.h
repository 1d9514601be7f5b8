// What a debugger asks of a process to know which files are loaded where: the loader's
// own list of them, and what the kernel told the program about itself. Read from
// outside, without a stop; none of it is the program's data.
//
// Source: System V ABI, chapter 5 (dynamic section); glibc's link.h (r_debug, link_map),
// which other C libraries follow.
//
// Threading: one thread.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "probes/target/maps.h"
#include "src/base/address.h"
#include "src/base/result.h"

namespace nohalt::target {

struct DebuggerView {
  // Of the auxiliary vector, what says where the program is.
  std::vector<std::pair<std::uint64_t, std::uint64_t>> auxiliary;
  struct Piece {
    RuntimeAddress at;
    std::vector<std::byte> bytes;
  };
  std::vector<Piece> memory;
  // What of executables and libraries nobody writes to.
  std::vector<Mapping> files;
};

// A list of libraries that cannot be read, or goes on without end, ends there.
[[nodiscard]] Result<DebuggerView> debugger_view(pid_t pid);

}  // namespace nohalt::target
