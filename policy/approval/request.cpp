// What a request's files say together, at a moment.
#include "policy/approval/request.h"

#include <algorithm>
#include <array>
#include <utility>

#include "policy/approval/codec.h"
#include "policy/audit/digest.h"

namespace nohalt::policy {

namespace {

bool is_within(const Moment& then, const Moment& now, std::chrono::milliseconds longest) {
  const auto age = age_of(then, now);
  return age && *age <= longest;
}

}  // namespace

std::string_view state_name(RequestState state) {
  static constexpr std::array<std::string_view, 6> kNames{"waiting",   "approved", "denied",
                                                          "withdrawn", "used",     "expired"};
  return kNames.at(static_cast<std::size_t>(state));
}

std::string binding_digest(const BoundRequest& bound) {
  return sha256_hex("nohalt approval 1\n" + encode(bound));
}

std::vector<std::string> changed_since(const BoundRequest& approved, const BoundRequest& now) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 11> kForPeople{{
      {"by", "who asks"},
      {"target", "the process"},
      {"program_hash", "the code that would run or its places"},
      {"probes", "the probes"},
      {"rights", "the rights that it takes"},
      {"uses", "the sources that it looks at"},
      {"reason", "the reason"},
      {"ticket", "the ticket"},
      {"rule", "the rule that serves"},
      {"needed", "how many must approve"},
      {"policy_hash", "the policy"},
  }};
  BoundRequest bound_now = now;
  bound_now.granted = approved.granted;
  // Weighed, as for the Grant, and not bound.
  bound_now.target.is_own_mount_namespace = approved.target.is_own_mount_namespace;
  bound_now.target.cgroup = approved.target.cgroup;
  std::vector<std::string> changed;
  for (const std::string& name : differing(approved, bound_now)) {
    const auto found =
        std::ranges::find(kForPeople, name, [](const auto& pair) { return pair.first; });
    changed.emplace_back(found == kForPeople.end() ? std::string_view{name} : found->second);
  }
  return changed;
}

Status check_unchanged(const ApprovalRequest& approved, const BoundRequest& now) {
  std::string what;
  for (const std::string& one : changed_since(approved.bound, now))
    what += (what.empty() ? "" : ", ") + one;
  if (what.empty()) return {};
  return fail(
      ErrorCode::kDenied, "approval-stale",
      "Request " + approved.id +
          " was approved for something else than would be armed now. Changed since: " + what + ".",
      "Ask again; what is asked then is what they will see.");
}

std::vector<Approval> counting(const ApprovalRequest& request,
                               const std::vector<Approval>& approvals, const Moment& now) {
  std::vector<Approval> counted;
  for (const Approval& approval : approvals) {
    const bool in_time = is_within(request.made, approval.given, kRequestLasts) &&
                         is_within(approval.given, now, kApprovalLasts);
    const bool is_another = is_surely_another(approval.by, request.bound.by) &&
                            std::ranges::all_of(counted, [&](const Approval& other) {
                              return is_surely_another(approval.by, other.by);
                            });
    if (in_time && is_another && approval.digest == request.digest) counted.push_back(approval);
  }
  return counted;
}

RequestState state_of(const ApprovalRequest& request, const std::vector<Approval>& approvals,
                      const std::optional<Closing>& closing, const Moment& now) {
  if (closing) return closing->state;
  if (counting(request, approvals, now).size() >= std::max(request.bound.needed, 1U))
    return RequestState::kApproved;
  return is_within(request.made, now, kRequestLasts) ? RequestState::kWaiting
                                                     : RequestState::kExpired;
}

}  // namespace nohalt::policy
