// Finding the file that holds a program's DWARF: the program itself, or a
// separate file named by its build id or by its debug link. Internal.
//
// Source: GDB manual, "Debugging Information in Separate Files".
#pragma once

#include <elfutils/libdw.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "probes/symbols/elf_image.h"
#include "src/base/result.h"

namespace nohalt::symbols {

struct EndDwarf {
  void operator()(Dwarf* dwarf) const { dwarf_end(dwarf); }
};

// A program and its DWARF. Destroyed in reverse order: the DWARF first.
struct DebugFile {
  ElfImage program;
  std::optional<ElfImage> separate;  // absent: the program itself holds its DWARF
  std::string path;                  // of the separate file; empty without one
  std::unique_ptr<Dwarf, EndDwarf> dwarf;
};

[[nodiscard]] Result<DebugFile> open_debug_file(const std::string& path, const std::string& name,
                                                const std::vector<std::string>& debug_dirs);

}  // namespace nohalt::symbols
