// The trails that a command writes to: those that the policies in force name, and the
// one that its options do.
#pragma once

#include "policy/audit/trail_reader.h"
#include "policy/audit/trails.h"
#include "src/session/commands.h"

namespace nohalt::session {

// As Trails::open takes them, at least one. A policy that cannot be read denies everything
// later, and that is written where it would be without one.
[[nodiscard]] std::vector<policy::TrailName> trail_names(const CommonOptions& common);

// Under the value rules of the policies in force, as far as these can be read, and under
// their hash.
[[nodiscard]] Result<policy::Trails> open_trail(const policy::Caller& caller,
                                                const CommonOptions& common);

// What is read: `file` where one is named, else what --audit names, else the first that is
// written. Its path is never empty.
[[nodiscard]] Result<policy::TrailName> trail_to_read(const policy::Caller& caller,
                                                      const CommonOptions& common,
                                                      const std::string& file);
// With which it is opened, and what is made of it is signed.
[[nodiscard]] Result<policy::PersonsPower> power_for(const policy::TrailName& name);
[[nodiscard]] Result<policy::TrailReader> open_to_read(const policy::TrailName& name);

}  // namespace nohalt::session
