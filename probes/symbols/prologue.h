// Where a function's body begins: the first place at which its arguments are
// where the DWARF says. Internal.
#pragma once

#include "probes/symbols/units.h"

namespace nohalt::symbols {

[[nodiscard]] LinkAddress body_of(const ElfImage& image, const Units& units, Unit& unit,
                                  const Function& function);

}  // namespace nohalt::symbols
