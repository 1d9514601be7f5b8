// Which processes of this machine carry probes, by the names of their mappings.
// Threading: reads /proc only.
#pragma once

#include <sys/types.h>

#include <vector>

#include "src/base/result.h"
#include "src/output/inspection_report.h"

namespace nohalt::session {

[[nodiscard]] std::vector<pid_t> processes_with_probes();

// The runs in one process, or in all (0) that may be looked at.
[[nodiscard]] Result<std::vector<output::ArmedRow>> list_armed(pid_t only);

}  // namespace nohalt::session
