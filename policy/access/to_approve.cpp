// What people are asked to approve: all that a Grant will bind, and the policy, with
// nothing in it that value rules hide.
#include "policy/access/authority.h"

namespace nohalt::policy {

Result<BoundRequest> Authority::to_approve(const Admission& admission,
                                           const Request& request) const {
  NOHALT_CHECK(check_same_target(admission, request));
  NOHALT_TRY(Weighing all, weigh_all(admission.caller_, request, 0));
  const ValueRules for_names = value_rules_.for_names();
  const auto safe = [&](const std::string& text) { return value_rules_.redact(text).text; };
  const auto safe_name = [&](const std::string& text) { return for_names.redact(text).text; };
  BoundRequest bound;
  bound.by = Person::of(admission.caller_);
  bound.target = request.target;
  bound.program_hash = request.program_hash;
  bound.probes = request.shown;
  for (ShownProbe& probe : bound.probes) {
    probe.location = safe_name(probe.location);
    probe.message = safe(probe.message);
    probe.condition = safe(probe.condition);
    for (std::string& capture : probe.captures) capture = safe(capture);
  }
  bound.rights = request.asking.rights;
  bound.uses = request.asking.uses;
  bound.granted = std::move(all.granted);
  bound.reason = safe(request.asking.reason);
  bound.ticket = safe_name(request.asking.ticket);
  bound.rule = std::move(all.rule);
  bound.needed = all.needed;
  bound.policy_hash = policy_hash_;
  return bound;
}

}  // namespace nohalt::policy
