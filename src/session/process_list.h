// Which processes can be probed, and for each other one the first reason why
// not. Reads /proc and the programs' files; touches no process.
//
// Threading: one thread.
#pragma once

#include <string>
#include <vector>

#include "policy/access/authority.h"
#include "src/base/result.h"
#include "src/output/inspection_report.h"

namespace nohalt::session {

struct ListOptions {
  pid_t only = 0;  // 0: every process but kernel threads
  std::vector<std::string> debug_dirs;
};

// In the order of their pids. Processes that end meanwhile are left out; where
// one was asked for and is not there, reason "no-such-process".
[[nodiscard]] Result<std::vector<output::ProcessRow>> list_processes(
    const policy::Authority& authority, const policy::Caller& caller, const ListOptions& options);

}  // namespace nohalt::session
