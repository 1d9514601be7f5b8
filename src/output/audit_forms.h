// Records of the audit trail for people and for other programs. What comes out is
// safe to show and to load, whatever is in the records: a trail may have been written
// by anyone.
// Threading: pure functions.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "policy/audit/entry.h"
#include "policy/audit/verify.h"

namespace nohalt::output {

// One line: number, time, what, who, which process, where, why.
[[nodiscard]] std::string audit_text(const policy::AuditEntry& entry);

// RFC 4180, but with newlines alone between rows. A cell that a spreadsheet would
// take for a formula has ' put before it.
[[nodiscard]] std::string audit_csv_header();
[[nodiscard]] std::string audit_csv(const policy::AuditEntry& entry);

// ArcSight's Common Event Format, version 0.
[[nodiscard]] std::string audit_cef(const policy::AuditEntry& entry);

// The lines of a Markdown page: the incident's events in order, and its runs.
[[nodiscard]] std::vector<std::string> audit_timeline(
    const std::string& ticket, const std::vector<policy::AuditEntry>& entries);

// One run that probed, from its records.
struct AuditRun {
  policy::AuditEntry armed;
  std::string ended;  // the event's name; empty: no record of its end
  std::string ended_at;
  std::optional<std::uint64_t> records;
  std::optional<std::uint64_t> bytes;
  std::string digest;
};
// Puts runs together from records in the trail's order. A run whose `armed` it was
// not given is left out.
class RunCollector {
 public:
  void take(const policy::AuditEntry& entry);
  [[nodiscard]] const std::vector<AuditRun>& runs() const { return runs_; }

 private:
  std::vector<AuditRun> runs_;
  std::map<std::string, std::size_t> index_;
};
[[nodiscard]] std::string audit_runs_text(const std::vector<AuditRun>& runs);
[[nodiscard]] std::string audit_runs_json(const std::vector<AuditRun>& runs);

// What verifying found: three statements, and each fault.
struct AuditVerdict {
  policy::ChainReport chain;
  std::string path;
  std::size_t files = 1;
  bool compared = false;  // with a checkpoint that was kept
  std::string own_key;    // of this host and person; empty: none
  std::string ticket;     // of a bundle
  std::string sealed_by;  // likewise
  std::vector<std::string> bundle_faults;

  [[nodiscard]] bool holds() const;
};
[[nodiscard]] std::string audit_verdict_text(const AuditVerdict& verdict);
[[nodiscard]] std::string audit_verdict_json(const AuditVerdict& verdict);

}  // namespace nohalt::output
