// Which units of a debug file hold the code of a source, and which that of a function of a
// name: from the index that an earlier run kept, else read from the DWARF and kept. Internal.
//
// What has no such name is thereby known without the DWARF's being begun, and what has it is
// looked for in the units that have. Not kept are tables whose file does not say it all
// itself: units in files of their own (.dwo) and what dwz moved to a common one may be
// missing in this run and be there in the next.
#pragma once

#include <functional>
#include <optional>

#include "probes/symbols/debug_file.h"
#include "probes/symbols/name_table.h"
#include "probes/symbols/units.h"

namespace nohalt::symbols {

class PlaceTables {
 public:
  using OpenUnits = std::function<Result<const Units*>()>;
  // Both must outlive it.
  PlaceTables(const DebugFile& file, OpenUnits units) : file_(file), units_(std::move(units)) {}

  // By whole, normalised path: where it has statements. Errors: those of the DWARF.
  [[nodiscard]] Result<const NameTable*> sources();
  // By base name: where functions or inlined copies of the name may have code.
  [[nodiscard]] Result<const NameTable*> functions();
  // The file itself says all of its code. To be asked after a table was: one that is kept
  // comes of such a file.
  [[nodiscard]] bool is_whole() const { return is_whole_; }
  // A kept table does not fit its file: neither is to be used.
  void forget();

 private:
  using Collect = NameTable::Names (*)(const Units&);
  [[nodiscard]] Result<const NameTable*> table(std::optional<NameTable>& known, const char* kind,
                                               Collect collect);

  const DebugFile& file_;
  OpenUnits units_;
  bool is_kept_used_ = true;
  bool is_whole_ = true;
  std::optional<NameTable> sources_;
  std::optional<NameTable> functions_;
};

}  // namespace nohalt::symbols
