// Where a thread-local variable without debug information is, as far as the file of the
// module that defines it can tell: by its symbol and by the loader's relocations.
//
// Threading: pure but for reading the file.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "src/base/address.h"

namespace nohalt::symbols {

struct ThreadSymbol {
  std::uint64_t offset = 0;  // in the module's thread-local block
  // How far below the thread pointer that block begins, of a program. Of a library the
  // loader decides.
  std::optional<std::uint64_t> distance;
  // The loader has written into each of these words how far from the thread pointer this
  // offset in the block is: how the library's own code finds it.
  struct Word {
    LinkAddress at;
    std::uint64_t offset = 0;
  };
  std::vector<Word> words;
};

// Absent where the file defines no thread-local variable of that name and size.
[[nodiscard]] std::optional<ThreadSymbol> find_thread_symbol(const std::string& path,
                                                             const std::string& name,
                                                             std::uint64_t size);

}  // namespace nohalt::symbols
