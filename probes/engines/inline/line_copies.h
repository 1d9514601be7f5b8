// Which code of a line beside its sites is a copy of them, to be probed as well.
//
// A hit must be counted once for each time that the statement runs, no more and no less. One
// mark of a statement is passed once for each time; a copy has a mark of its own. But one
// line and column may stand for several statements, as where a macro is used, and their marks
// look the same. So a group of marks is taken apart only where control comes to each of them
// from another statement, on every way through the machine code: then no two of them belong
// to one run of the statement. Where that cannot be shown, no more is probed than a debugger
// would stop at, and what is left is told.
//
// Threading: pure but for reading the file's bytes.
#pragma once

#include <cstddef>
#include <vector>

#include "probes/symbols/debug_info.h"

namespace nohalt::engines {

struct LineCopies {
  std::vector<symbols::LineSite> sites;  // copies that are to be probed too
  std::vector<LinkAddress> left_out;     // code of the line where a hit may be missed
};

[[nodiscard]] LineCopies copies_of(const symbols::DebugInfo& info,
                                   const symbols::LineRepeats& repeats);

}  // namespace nohalt::engines
