// A request as a run would make it, and a clock that tests set.
#pragma once

#include "policy/approval/request.h"

namespace nohalt::policy {

// Each known by a login of their own, and root through sudo.
inline Person person(uid_t login, std::string name = {}) { return {0, login, std::move(name)}; }

inline Moment at_minute(std::int64_t minute, std::string boot = "boot") {
  constexpr std::int64_t kFirst = 1'800'000'000;
  return {(kFirst + minute * 60) * 1'000'000'000,
          {1'000'000 + static_cast<std::uint64_t>(minute) * 60'000, std::move(boot)}};
}

inline BoundRequest made_bound(std::uint32_t needed = 1) {
  BoundRequest bound;
  bound.by = person(1000, "alice");
  bound.target.identity = {42, 4711};
  bound.target.uids = {7, 7, 7, 7};
  bound.target.exe_path = "/usr/bin/orders";
  bound.target.build_id = "0123abcd";
  bound.target.is_own_mount_namespace = true;
  bound.target.cgroup = "/orders.slice";
  bound.program_hash = "aa";
  bound.probes = {{"log", "orders.c:142", "order {id}", "id > 3", {"total"}, 3, 0}};
  bound.rights = {Right::kLog, Right::kStack};
  bound.uses = {{SourceUse::Kind::kCode, "orders.c:142", "/build/orders.c", "total"}};
  bound.granted = {Limits{}};
  bound.reason = "totals are wrong";
  bound.ticket = "INC-7";
  bound.rule = "oncall (/etc/nohalt/policy.yaml:4)";
  bound.needed = needed;
  bound.policy_hash = "bb";
  return bound;
}

inline ApprovalRequest made_request(std::string id, std::uint32_t needed = 1) {
  ApprovalRequest request{std::move(id), at_minute(0), "host", {99, 1}, {}, made_bound(needed)};
  request.digest = binding_digest(request.bound);
  return request;
}

inline Approval approval_of(const ApprovalRequest& request, uid_t login, std::int64_t minute) {
  return {person(login), at_minute(minute), "fine", request.digest};
}

}  // namespace nohalt::policy
