// The trail that a command writes to, as its options ask for it.
#pragma once

#include "policy/audit/trail.h"
#include "src/session/commands.h"

namespace nohalt::session {

[[nodiscard]] Result<policy::Trail> open_trail(const policy::Caller& caller,
                                               const CommonOptions& common);

}  // namespace nohalt::session
