// The first half of a request, the same for log and plan: who asks, which
// process, may they, can it be touched at all, what does it run.
//
// Everything here only reads. Ownership: members refer to one another, so an
// Attachment stays where it was made.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "policy/access/authority.h"
#include "probes/engines/inline/target_view.h"
#include "probes/symbols/debug_info.h"
#include "probes/target/process.h"
#include "src/session/commands.h"
#include "src/session/modules.h"

namespace nohalt::session {

struct Attachment {
  policy::Caller caller;
  policy::Authority authority;
  policy::Admission admission;
  target::Process process;
  policy::TargetFacts facts;  // with the build id
  std::unique_ptr<symbols::DebugInfo> info;
  std::vector<policy::Right> extra_rights;  // that the program's debug files ask for
  Modules modules;
};

// What a person may not read themselves they shall not read by root's power. Reason
// "debug-folder-not-yours".
[[nodiscard]] Status may_look_into(const std::vector<std::string>& debug_dirs);

// `rights` are those that are asked for. `pid` must be admitted before anything but its identity is
// read.
[[nodiscard]] Result<std::unique_ptr<Attachment>> attach(const policy::Caller& caller, pid_t pid,
                                                         const CommonOptions& options,
                                                         std::vector<policy::Right> rights);

}  // namespace nohalt::session
