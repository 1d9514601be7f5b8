// Who may probe what. The Authority is the only one who can mint a Grant, and
// it does so in two steps:
//
//   admit   asks who and which process, before anything of the target is read
//   decide  comes last, when source, program and cost are known: mints the Grant
//
// The policy is /etc/nohalt/policy.yaml where that exists, and then --policy can only
// narrow it: both must allow. Else it is what --policy names, else the person's own
// file, else the built-in policy: a person may probe processes all four of whose uids
// are their own, and root may probe all. A file that cannot be read, trusted or proven
// whole denies everything: a rule that nobody read must not be taken for leave.
//
// Errors are of kind kDenied and name the rule, its file and line. Reasons:
// policy-missing, policy-unreadable, policy-writable, policy-foreign, policy-malformed,
// not-your-process, changed-identity, target-changed, too-many-probes, approval-stale; and
// those of a Verdict.
// Threading: immutable after load.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "policy/access/caller.h"
#include "policy/access/grant.h"
#include "policy/access/leave.h"
#include "policy/access/rules.h"
#include "policy/access/verdict.h"
#include "policy/approval/approved.h"
#include "policy/limits/lowering.h"
#include "policy/redaction/redaction_rules.h"
#include "policy/redaction/value_rules.h"
#include "src/base/result.h"

namespace nohalt::policy {

// Where a policy could come from. A file that governs every run comes first.
struct PolicySources {
  std::string named;  // --policy or NOHALT_POLICY; empty: none
  std::string system = "/etc/nohalt/policy.yaml";
  std::string host = "/etc/nohalt/host.yaml";  // labels of this host
  std::string user;                            // in the user's config folder; empty: none

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
  Admission(Caller caller, TargetFacts target, std::string rule)
      : caller_(std::move(caller)), target_(std::move(target)), rule_(std::move(rule)) {}

  Caller caller_;
  TargetFacts target_;
  std::string rule_;
};

// What is asked of the rules besides who and which process.
struct Asking {
  std::vector<Right> rights;
  std::vector<SourceUse> uses;
  std::string reason;
  std::string ticket;
  bool breaks_glass = false;  // goes without approvals, where the role lets it
};

// What is to be armed, once everything about it is known.
struct Request {
  TargetFacts target;               // with the build id; identity and uids as admitted
  std::string program_hash;         // over the programs and sites
  std::vector<AskedLimits> probes;  // one for each probe of the run
  Asking asking{};
  std::optional<Usage> on_target{};  // by other runs; absent: unknown
  std::optional<Usage> of_user{};
  std::optional<Usage> on_host{};
  std::vector<ShownProbe> shown{};  // the probes, for people who approve them
};

struct Decision {
  Grant grant;                       // its limits are the largest of those of the probes
  std::vector<Limits> probe_limits;  // one for each probe, in the order of the request
  std::vector<std::string> notes;    // what was lowered, a sentence each
  bool breaks_glass = false;         // it goes without approvals that it takes
};

class Authority {
 public:
  [[nodiscard]] static Result<Authority> load(const PolicySources& sources);

  // Of `target` the build id need not be known yet. Without rights: whether anything
  // at all may be done.
  [[nodiscard]] Result<Admission> admit(const Caller& caller, const TargetFacts& target,
                                        const std::vector<Right>& rights = {}) const;
  // Whether the caller has a right that concerns no process, as to read the trail.
  [[nodiscard]] Status admit_person(const Caller& caller, Right right) const;
  // What either answer goes by, for the trail: the rule that denies, or those that allow.
  // Without a target it is about the person.
  [[nodiscard]] std::string deciding_rule(const Caller& caller, const TargetFacts* target,
                                          const std::vector<Right>& rights) const;
  // What may be seen, once the build id and the sources are known. Limits come last,
  // and approvals after them: a role that only waits for these lets be seen what it will.
  [[nodiscard]] Result<Leave> leave(const Admission& admission, const TargetFacts& target,
                                    const Asking& asking) const;
  // Where only approvals are missing the reason is approval-required. With them nothing
  // is granted but what was approved (approval-stale), and no more of it.
  [[nodiscard]] Result<Decision> decide(const Admission& admission, const Request& request,
                                        const Approved* approved = nullptr) const;
  // What people have to approve; `needed` is 0 where it takes nobody's approval.
  [[nodiscard]] Result<BoundRequest> to_approve(const Admission& admission,
                                                const Request& request) const;

  // One verdict for each file in force, all rules weighed; none under the built-in
  // policy. Mints nothing.
  struct Explained {
    std::string file;
    Verdict verdict;
    std::string rule;  // as rule_text
  };
  [[nodiscard]] std::vector<Explained> explain(const Caller& caller, const Request& request,
                                               Stage stage) const;

  // The trails that the policies in force want written, whatever a person names: paths,
  // or an empty one for the usual trail.
  [[nodiscard]] std::vector<std::string> audit_files() const;
  // The files in force, as messages call them; none: the built-in policy.
  [[nodiscard]] std::vector<std::string> files() const;

  [[nodiscard]] bool is_builtin() const { return rules_.empty(); }
  // What limits of totals have to be counted for.
  [[nodiscard]] bool has_totals() const;

  [[nodiscard]] const RedactionRules& redaction() const { return redaction_; }
  [[nodiscard]] const ValueRules& value_rules() const { return value_rules_; }
  // What is in force: a file as it was read, two with a line of "---" between them.
  [[nodiscard]] const std::string& text() const { return text_; }
  // SHA-256 of that, for the audit trail.
  [[nodiscard]] const std::string& policy_hash() const { return policy_hash_; }

 private:
  Authority();

  [[nodiscard]] Status add_file(const std::string& path, const std::vector<uid_t>& owners);
  [[nodiscard]] Status add_redaction(const Rules& rules);
  [[nodiscard]] Status add_host(const std::string& path);
  [[nodiscard]] Question question(const Caller& caller, const TargetFacts& target) const;
  [[nodiscard]] Question question(const Caller& caller, const Request& request) const;
  // What all files in force say together. An error where one denies otherwise than for
  // want of approvals.
  struct Weighing {
    std::vector<Limits> granted;
    std::vector<std::string> notes;
    std::string rule;
    std::uint32_t needed = 0;      // approvals, of which there are too few
    std::optional<Error> lacking;  // that they are
    bool breaks_glass = false;
  };
  [[nodiscard]] Result<Weighing> weigh_all(const Caller& caller, const Request& request,
                                           std::size_t approvals) const;
  [[nodiscard]] Status check_same_target(const Admission& admission, const Request& request) const;
  [[nodiscard]] Result<Decision> decide_builtin(const Admission& admission,
                                                const Request& request) const;

  std::vector<Rules> rules_;  // of the files in force; empty: the built-in policy
  bool is_governed_ = false;  // the first of them is the system's
  std::optional<std::vector<std::string>> env_;
  RedactionRules redaction_;
  ValueRules value_rules_ = ValueRules::builtin();
  std::string text_;
  std::string policy_hash_;
};

// The name that messages and records give to the rule that allows.
inline constexpr std::string_view kOwnProcessesRule = "built-in: own-processes";

}  // namespace nohalt::policy
