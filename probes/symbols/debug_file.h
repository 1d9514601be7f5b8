// Finding the file that holds a program's DWARF: the program itself, or a
// separate file named by its build id or by its debug link. Internal.
//
// Beginning to read DWARF is dear, since libdw then reads every section of it, and
// inflates what is compressed: of most files of a process nothing is ever asked. So a
// file is opened once for all that read it, and its DWARF is begun with the first
// question that needs it.
//
// Source: GDB manual, "Debugging Information in Separate Files".
#pragma once

#include <elfutils/libdw.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "probes/symbols/debug_info.h"
#include "probes/symbols/elf_image.h"
#include "src/base/result.h"

namespace nohalt::symbols {

struct EndDwarf {
  void operator()(Dwarf* dwarf) const { dwarf_end(dwarf); }
};

// A program and its DWARF.
class DebugFile {
 public:
  // Errors: those of opening an ELF file (not-elf, wrong-architecture, open).
  [[nodiscard]] static Result<std::shared_ptr<DebugFile>> open(
      const std::string& path, const std::string& name, const std::vector<std::string>& debug_dirs);

  [[nodiscard]] const ElfImage& program() const { return program_; }
  // Null: the program itself holds its DWARF, or there is none.
  [[nodiscard]] const ElfImage* separate() const { return separate_ ? &*separate_ : nullptr; }
  // Of the separate file; empty without one.
  [[nodiscard]] const std::string& path() const { return path_; }
  // There is DWARF. Errors: no-debug-info, build-id-mismatch.
  [[nodiscard]] Status check() const;
  // Null: there is none, or it is damaged.
  [[nodiscard]] Dwarf* dwarf();
  // What dwz moved from the DWARF to a file that several share is there, and of this build.
  // Begins the DWARF. Errors: no-shared-debug-file.
  [[nodiscard]] Status check_shared();

 private:
  explicit DebugFile(ElfImage program) : program_(std::move(program)) {}
  [[nodiscard]] Status find_separate(const std::string& path, const std::string& name,
                                     const std::vector<std::string>& debug_dirs);

  // Destroyed in reverse order: the DWARF first.
  ElfImage program_;
  std::optional<ElfImage> separate_;
  std::string path_;
  std::optional<Error> missing_;
  bool is_begun_ = false;
  std::unique_ptr<Dwarf, EndDwarf> dwarf_;
};

// What its DWARF says; malformed-dwarf comes with the first question, not here.
// Errors: those of DebugFile::check.
[[nodiscard]] Result<std::unique_ptr<DebugInfo>> debug_info_of(std::shared_ptr<DebugFile> file,
                                                               const std::string& name);

}  // namespace nohalt::symbols
