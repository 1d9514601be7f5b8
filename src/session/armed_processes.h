// Which processes of this machine carry probes, by the names of their mappings,
// and whose they are. All that a process says of its probes it could have forged.
// Threading: reads /proc only.
#pragma once

#include <sys/types.h>

#include <vector>

#include "probes/engines/inline/inline_engine.h"
#include "src/base/result.h"
#include "src/output/inspection_report.h"

namespace nohalt::session {

[[nodiscard]] std::vector<pid_t> processes_with_probes();

struct ArmedRun {
  engines::FoundRun run;
  output::ArmedRow row;
};
// The runs in one process, or in all (0) that may be looked at.
[[nodiscard]] Result<std::vector<ArmedRun>> find_armed(pid_t only);

// The tool that a run in process `target` names, shown to be it: it is as old as the run
// says, it holds the lock on the run's control region, and where that may be looked at (by
// root: a tool is closed to its own user) it maps the region. Reason "tool-not-proven".
[[nodiscard]] Result<target::Process> open_tool(const engines::FoundRun& run, pid_t target);

}  // namespace nohalt::session
