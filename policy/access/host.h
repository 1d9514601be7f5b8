// What the host knows of people: the user database, as policy asks it.
//
// Threading: reads the databases of the host; no state.
#pragma once

#include "policy/access/caller.h"
#include "policy/access/facts.h"

namespace nohalt::policy {

class HostDirectory final : public Directory {
 public:
  [[nodiscard]] Answer user(const std::string& name) const override;
  [[nodiscard]] Answer group(const std::string& name) const override;
};

// Of a caller who is root behind sudo, also the groups of who logged in.
[[nodiscard]] Asker asker_of(const Caller& caller);

}  // namespace nohalt::policy
