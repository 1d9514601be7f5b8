// What running nohalts have been granted, so that limits over several runs can be
// kept: a file that each run under a policy file enters itself in. Counting and
// entering are one step under a lock, so that two runs that start together cannot both
// be given what is left. An entry counts while the run that it names lives; a run that
// died leaves one that the next transaction drops.
//
// Root's ledger is in /run; another's is in their own state folder and tells of their
// own runs only. It holds no evidence: the audit trail does.
// Errors are of kind kDenied, reason ledger-unusable. Threading: one thread.
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "policy/limits/limits.h"
#include "src/base/process_identity.h"
#include "src/base/result.h"
#include "src/base/unique_fd.h"

namespace nohalt::policy {

struct LedgerEntry {
  ProcessIdentity tool;
  ProcessIdentity target;
  uid_t uid = 0;
  std::optional<uid_t> login_uid;
  std::vector<Limits> probes;  // granted to each; only the rates of it are kept
};

using Lives = std::function<bool(const ProcessIdentity&)>;

// Holds the lock while it lives.
class Ledger {
 public:
  // Waits a few seconds for others to be through.
  [[nodiscard]] static Result<Ledger> open(const std::string& folder, const Lives& lives);

  [[nodiscard]] const std::vector<LedgerEntry>& entries() const { return entries_; }
  // A second entry of one tool takes the first one's place.
  [[nodiscard]] Status enter(const LedgerEntry& entry);
  [[nodiscard]] Status leave(const ProcessIdentity& tool);

 private:
  Ledger(std::string folder, UniqueFd lock) : folder_(std::move(folder)), lock_(std::move(lock)) {}
  [[nodiscard]] Status write() const;

  std::string folder_;
  UniqueFd lock_;
  std::vector<LedgerEntry> entries_;
};

// An entry for as long as this lives.
class LedgerPlace {
 public:
  LedgerPlace(std::string folder, ProcessIdentity tool) : folder_(std::move(folder)), tool_(tool) {}
  LedgerPlace(const LedgerPlace&) = delete;
  LedgerPlace& operator=(const LedgerPlace&) = delete;
  ~LedgerPlace();

 private:
  std::string folder_;
  ProcessIdentity tool_;
};

}  // namespace nohalt::policy
