// Who may probe what. The Authority is the only one who can mint a Grant, and
// it does so in two steps:
//
//   admit   asks who and which process, before anything of the target is read
//   decide  comes last, when source, program and cost are known: mints the Grant
//
// This version knows one policy, the built-in one: a person may probe processes
// all four of whose uids are their own, and root may probe all. It cannot read
// policy files. Where one exists or is named, everything is denied: a rule that
// nobody read must not be taken for leave.
//
// Errors are of kind kDenied and name the rule: policy-not-supported,
// policy-missing, not-your-process, changed-identity, target-changed, too-many-probes.
// Threading: immutable after load.
#pragma once

#include <string>
#include <vector>

#include "policy/access/caller.h"
#include "policy/access/grant.h"
#include "policy/limits/lowering.h"
#include "policy/redaction/names.h"
#include "policy/redaction/value_rules.h"
#include "src/base/result.h"

namespace nohalt::policy {

// Where a policy could come from. A file that governs every run comes first.
struct PolicySources {
  std::string named;  // --policy or NOHALT_POLICY; empty: none
  std::string system = "/etc/nohalt/policy.yaml";
  std::string user;  // in the user's config folder; empty: none

  // The places of this machine and of this person ($XDG_CONFIG_HOME or ~/.config).
  [[nodiscard]] static PolicySources usual(std::string named);
};

// Leave to look at one process. Only an Authority makes one.
class Admission {
 public:
  [[nodiscard]] const TargetFacts& target() const { return target_; }
  [[nodiscard]] const std::string& rule() const { return rule_; }

 private:
  friend class Authority;
  Admission(TargetFacts target, std::string rule)
      : target_(std::move(target)), rule_(std::move(rule)) {}

  TargetFacts target_;
  std::string rule_;
};

// What is to be armed, once everything about it is known.
struct Request {
  TargetFacts target;               // with the build id; identity and uids as admitted
  std::string program_hash;         // over the programs and sites
  std::vector<AskedLimits> probes;  // one for each probe of the run
};

struct Decision {
  Grant grant;                       // its limits are the largest of those of the probes
  std::vector<Limits> probe_limits;  // one for each probe, in the order of the request
  std::vector<std::string> notes;    // what was lowered, a sentence each
};

class Authority {
 public:
  [[nodiscard]] static Result<Authority> load(const PolicySources& sources);

  // Only the identity and uids of `target` need to be known yet.
  [[nodiscard]] Result<Admission> admit(const Caller& caller, const TargetFacts& target) const;
  [[nodiscard]] Result<Decision> decide(const Admission& admission, const Request& request) const;

  [[nodiscard]] const RedactionRules& redaction() const { return redaction_; }
  [[nodiscard]] const ValueRules& value_rules() const { return value_rules_; }
  // SHA-256 of the rules in force, for the audit trail.
  [[nodiscard]] const std::string& policy_hash() const { return policy_hash_; }

 private:
  Authority();

  RedactionRules redaction_;
  ValueRules value_rules_ = ValueRules::builtin();
  std::string policy_hash_;
};

// The name that messages and records give to the rule that allows.
inline constexpr std::string_view kOwnProcessesRule = "built-in: own-processes";

}  // namespace nohalt::policy
