// A request that waits for the approval of others, what they said to it, and what
// became of it.
//
//   waiting -> approved -> used       one run was armed under it
//      |          |
//      +----------+-----> denied, withdrawn, expired
//
// A request waits 30 minutes at most. An approval counts for 15 minutes and binds all
// that the Grant will bind, what people were shown, and the policy: where one of these
// is another when the run is to be armed, it does not count.
//
// Threading: plain values and pure functions.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "policy/access/facts.h"
#include "policy/access/grant.h"
#include "policy/approval/moment.h"
#include "policy/approval/person.h"
#include "policy/limits/limits.h"
#include "src/base/result.h"

namespace nohalt::policy {

inline constexpr std::chrono::minutes kRequestLasts{30};
inline constexpr std::chrono::minutes kApprovalLasts{15};

// A probe as people are shown it. Value rules have been over its texts.
struct ShownProbe {
  std::string kind;  // log, snapshot
  std::string location;
  std::string message;
  std::string condition;
  std::vector<std::string> captures;
  std::uint64_t hits = 0;   // after which it ends; 0: at its lease's end
  std::uint32_t stack = 0;  // frames of callers
};

// What an approval binds.
struct BoundRequest {
  Person by;
  TargetFacts target;
  std::string program_hash;
  std::vector<ShownProbe> probes;
  std::vector<Right> rights;
  std::vector<SourceUse> uses;
  std::vector<Limits> granted;  // the most, one for each probe
  std::string reason;
  std::string ticket;
  std::string rule;  // that asks for approvals
  std::uint32_t needed = 1;
  std::string policy_hash;
};

struct ApprovalRequest {
  std::string id;  // the run's own, 16 hex digits
  Moment made;
  std::string host;
  ProcessIdentity waits;  // the tool that made it
  std::string digest;     // binding_digest
  BoundRequest bound;
};

struct Approval {
  Person by;
  Moment given;
  std::string reason;
  std::string digest;  // of the request as it was shown
};

enum class RequestState { kWaiting, kApproved, kDenied, kWithdrawn, kUsed, kExpired };
[[nodiscard]] std::string_view state_name(RequestState state);

// How a request ended: only once, and for good.
struct Closing {
  RequestState state = RequestState::kExpired;
  Person by;
  Moment at;
  std::string reason;
};

// SHA-256 over all of it, lower-case hex.
[[nodiscard]] std::string binding_digest(const BoundRequest& bound);

// Which parts of what was approved are another now, for people; empty: none. Limits
// are no part of it, since what was approved is the most; nor is where a process lives.
[[nodiscard]] std::vector<std::string> changed_since(const BoundRequest& approved,
                                                     const BoundRequest& now);

// Reason approval-stale: what would be armed now is not what was approved.
[[nodiscard]] Status check_unchanged(const ApprovalRequest& approved, const BoundRequest& now);

// Those that count at that moment: of people who are surely others than who asked and
// than one another, given to this very request while it waited, and not too long ago.
[[nodiscard]] std::vector<Approval> counting(const ApprovalRequest& request,
                                             const std::vector<Approval>& approvals,
                                             const Moment& now);

[[nodiscard]] RequestState state_of(const ApprovalRequest& request,
                                    const std::vector<Approval>& approvals,
                                    const std::optional<Closing>& closing, const Moment& now);

}  // namespace nohalt::policy
