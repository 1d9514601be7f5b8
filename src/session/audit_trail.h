// The trails that a command writes to: those that the policies in force name, and the
// one that its options do.
#pragma once

#include "policy/audit/trails.h"
#include "src/session/commands.h"

namespace nohalt::session {

// As Trails::open takes them. A policy that cannot be read denies everything later, and
// that is written where it would be without one.
// At least one.
[[nodiscard]] std::vector<std::string> trail_names(const CommonOptions& common);

[[nodiscard]] Result<policy::Trails> open_trail(const policy::Caller& caller,
                                                const CommonOptions& common);

}  // namespace nohalt::session
