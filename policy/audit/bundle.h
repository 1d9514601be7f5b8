// One file of an incident, for people who have neither the host nor its trail: the
// records of a ticket as they stand in the trail, with what shows that they stand
// there.
//
// It covers the trail from the ticket's first record to the first checkpoint behind
// its last one. Records of other people's work between them are there by their
// hashes alone, which is enough for the chain (chain_after): so the chain holds from
// one end to the other, and the checkpoint at its end can be compared with one kept
// off the host, without anyone's having to believe who made the bundle.
//
// The form is one JSON object a line: a head; then `record` (a line of the trail, as
// text) or `skipped` (hashes, `from` a number), in the trail's order; `timeline`, the
// lines of a Markdown page; last a `seal`, a signature by the host's key over the
// SHA-256 of all lines before it.
// Threading: one thread.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "policy/access/caller.h"
#include "policy/audit/entry.h"
#include "policy/audit/trail_reader.h"
#include "policy/audit/verify.h"
#include "src/base/result.h"

namespace nohalt::policy {

struct BundleHead {
  std::string ticket;
  std::string made;  // RFC 3339
  Caller by;
  std::string trail;                            // its path
  std::map<std::string, std::string> policies;  // text by hash, as far as they are known
};

// What is in it for people, in the trail's order; without checkpoints.
[[nodiscard]] Result<std::vector<AuditEntry>> entries_of_ticket(const TrailReader& reader,
                                                                const std::string& ticket);

using PutLine = std::function<Status(const std::string&)>;  // with its newline

// `entries`: of entries_of_ticket, at least one. Errors of `put` end it.
[[nodiscard]] Status write_bundle(const TrailReader& reader, const BundleHead& head,
                                  const std::vector<AuditEntry>& entries,
                                  const std::vector<std::string>& timeline,
                                  const std::string& key_folder, const PutLine& put);

[[nodiscard]] bool looks_like_bundle(const std::string& path);

struct BundleReport {
  std::string ticket;
  std::string made;
  std::string host;
  std::string user;
  ChainReport chain;
  std::string sealed_by;            // the key; empty: it is not sealed
  std::vector<std::string> faults;  // of the bundle itself: its lines and its seal
};
[[nodiscard]] Result<BundleReport> verify_bundle(const TrailReader& reader,
                                                 const std::vector<KeptCheckpoint>& kept);

}  // namespace nohalt::policy
