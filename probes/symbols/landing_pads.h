// Where exceptions land: the landing pads of the language-specific data areas
// (LSDA) that .eh_frame points to. Internal.
#pragma once

#include <optional>
#include <vector>

#include "probes/symbols/elf_image.h"

namespace nohalt::symbols {

// All landing pads of the file, in increasing order. Absent where a table is
// damaged or written in a way this reader does not know.
[[nodiscard]] std::optional<std::vector<LinkAddress>> read_landing_pads(const ElfImage& image);

}  // namespace nohalt::symbols
