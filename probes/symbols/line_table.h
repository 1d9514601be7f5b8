// The line table of one unit, filtered the way GDB filters it, so that a line's
// addresses are the ones GDB would stop at. Internal.
//
// Source: DWARF 5 section 6.2. The filter: where the file changes at an address
// that already has rows, the rows of the file that is left are empty and go;
// a non-statement row of another file at a statement's address is ignored; of
// rows that repeat the line of the row before, those of a line with
// discriminators are dropped.
#pragma once

#include <elfutils/libdw.h>

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "src/base/address.h"

namespace nohalt::symbols {

// Source file names of one DebugInfo, each held once.
class FileNames {
 public:
  // The index of a path that source_path() made.
  [[nodiscard]] std::uint32_t intern(std::string path);
  [[nodiscard]] const std::string& name(std::uint32_t index) const { return *names_[index]; }
  [[nodiscard]] std::size_t size() const { return names_.size(); }

 private:
  std::unordered_map<std::string, std::uint32_t> index_;
  std::vector<const std::string*> names_;  // the keys of index_
};

struct LineRow {
  LinkAddress pc;
  std::uint32_t line = 0;  // 0: code that belongs to no line
  std::uint32_t file = 0;
  std::uint32_t column = 0;  // 0: not told
  bool is_statement = false;
  bool is_prologue_end = false;
  bool is_end = false;  // one past a sequence's last byte
};

// The rows of a unit as they stand in the file, by address, without ends and line 0.
// `ranges`: as for LineTable.
[[nodiscard]] std::vector<LineRow> unfiltered_rows(Dwarf_Die unit,
                                                   const std::vector<LinkRange>& ranges,
                                                   FileNames& names);

class LineTable {
 public:
  // `ranges`: the unit's code; rows outside belong to code the linker discarded.
  LineTable(Dwarf_Die unit, const std::vector<LinkRange>& ranges, FileNames& names);

  [[nodiscard]] const std::vector<LineRow>& rows() const { return rows_; }
  // The files that have statements here, each once, in increasing order.
  [[nodiscard]] const std::vector<std::uint32_t>& files() const { return files_; }
  // The row whose code holds pc, or null. Rows of line 0 are looked through.
  [[nodiscard]] const LineRow* covering(LinkAddress pc) const;
  // One past the code of the row that holds pc: the next row's address.
  [[nodiscard]] LinkAddress end_of_row(LinkAddress pc) const;
  // The addresses of the statement that begins at `row`: up to the next
  // statement, other line, or end.
  [[nodiscard]] LinkRange statement(const LineRow& row) const;

 private:
  std::vector<LineRow> rows_;
  std::vector<std::uint32_t> files_;
};

}  // namespace nohalt::symbols
