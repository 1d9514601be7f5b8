// What other runs take of the limits that a policy sets for several together. While
// this lives nobody else is granted anything, so that what is counted still holds when
// this run is granted its own.
//
// Errors: as Ledger. Threading: one thread.
#pragma once

#include <memory>
#include <optional>

#include "policy/limits/ledger.h"
#include "src/session/attach.h"

namespace nohalt::session {

class OtherRuns {
 public:
  // Looks at nothing under the built-in policy, which has no such limits.
  [[nodiscard]] static Result<OtherRuns> look(const Attachment& at);

  void count(policy::Request& request) const;
  // Says to others what this run was granted, until the place is gone. Null: nobody asks.
  [[nodiscard]] Result<std::unique_ptr<policy::LedgerPlace>> enter(
      const policy::Decision& decision);

 private:
  explicit OtherRuns(const Attachment& at) : at_(at) {}

  const Attachment& at_;
  std::string folder_;
  std::optional<policy::Ledger> ledger_;
};

}  // namespace nohalt::session
