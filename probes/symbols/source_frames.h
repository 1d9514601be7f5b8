// The functions at one address, through all that is inlined there. Internal.
#pragma once

#include <vector>

#include "probes/symbols/debug_info.h"
#include "probes/symbols/units.h"

namespace nohalt::symbols {

[[nodiscard]] std::vector<SourceFrame> read_source_frames(const Units& units, LinkAddress pc);

}  // namespace nohalt::symbols
