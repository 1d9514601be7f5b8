// One thing that happened, as the audit trail keeps it: who, what, under which
// rule, why, and what was left behind. Fields that do not apply stay empty and
// are left out of the line.
//
// Threading: plain values.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "policy/access/caller.h"
#include "policy/access/grant.h"
#include "policy/limits/lowering.h"

namespace nohalt::policy {

enum class EventKind {
  kRequested,         // someone asked; nothing has been read yet
  kWaiting,           // for a library that is not loaded yet
  kDenied,            // and may not, or it was refused as unsafe: `denial` says why
  kArmed,             // written before the first byte of the target is changed
  kHitSummary,        // what a run recorded, at its end or in between
  kDisarmed,          // taken off by the run itself
  kExpired,           // the lease ended it
  kRemovalRequested,  // someone else takes a run off, or what one left: written before the change
  kOrphanRemoved,     // taken off by a later run, after its own was killed
  kPolicyChanged,     // the rules in force are not those of the records before
  kAuditRead,         // someone read the trail
  kCheckpoint,        // signs all records before it
  kRotated,           // the first line of a file that goes on where another ended
  // Of a request for approval; its id is the run's.
  kApprovalRequested,
  kApproved,  // by one person; written before it counts
  kApprovalDenied,
  kApprovalWithdrawn,  // by who asked, or because they wait no longer
  kApprovalExpired,    // seen to have
  kApprovalUsed,       // written before anything is armed under it
  kGlassBroken,        // goes without the approvals that it takes; written before it is armed
};

inline constexpr EventKind kAllEvents[] = {
    EventKind::kRequested,         EventKind::kDenied,          EventKind::kArmed,
    EventKind::kHitSummary,        EventKind::kDisarmed,        EventKind::kExpired,
    EventKind::kRemovalRequested,  EventKind::kOrphanRemoved,   EventKind::kPolicyChanged,
    EventKind::kAuditRead,         EventKind::kCheckpoint,      EventKind::kRotated,
    EventKind::kApprovalRequested, EventKind::kApproved,        EventKind::kApprovalDenied,
    EventKind::kApprovalWithdrawn, EventKind::kApprovalExpired, EventKind::kApprovalUsed,
    EventKind::kGlassBroken,       EventKind::kWaiting};

[[nodiscard]] std::string_view event_name(EventKind kind);

// Whether nothing more is to come of what it ends: a checkpoint follows it.
[[nodiscard]] bool is_last_of_its_run(EventKind kind);

struct Event {
  EventKind kind = EventKind::kRequested;
  std::string run;  // ties the events of one run together; as `nohalt list` shows it
  Caller who;

  // What. Of `target`, what is not known stays empty.
  std::optional<TargetFacts> target;
  std::vector<std::uint64_t> addresses;  // of the patched places, in the target
  std::string program_hash;
  std::vector<std::string> kinds;      // of the probes: log, snapshot
  std::vector<std::string> locations;  // as asked for
  std::vector<std::string> places;     // file:line of what they led to
  std::vector<std::string> messages;   // the templates
  std::vector<std::string> conditions;
  std::vector<std::string> captures;  // what snapshots were to show by name, of all probes
  std::string read;                   // audit-read: the command and what it looked for
  std::string previous_file;          // rotated: the name of the file that ended

  // Under which rule.
  std::string rule;
  std::string policy_hash;
  std::string previous_policy_hash;  // policy-changed
  std::vector<AskedLimits> asked;
  std::vector<Limits> granted;
  std::map<std::string, std::uint64_t> redactions;  // by rule, how often

  // Why.
  std::string reason;
  std::string ticket;
  std::string denial;  // the stable token of the error, such as not-your-process

  // What left the target.
  std::optional<std::uint64_t> records;
  std::optional<std::uint64_t> bytes;
  std::string output_digest;             // OutputDigest::hex
  std::vector<std::string> left_behind;  // what could not be removed
};

}  // namespace nohalt::policy
