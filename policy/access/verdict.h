// Weighs the rules of one policy against what is asked. Pure: the same rules and
// the same question give the same verdict.
//
//   1. A deny rule all of whose conditions hold, or are not known to fail, denies.
//   2. Else the first role in file order that allows the whole of the request
//      serves, with its own limits. Roles are never put together.
//   3. Else it is denied, in the name of the role that came nearest to allowing it:
//      nearest of all is one that only waits for approvals.
//
// Threading: pure functions.
#pragma once

#include <string>
#include <vector>

#include "policy/access/facts.h"
#include "policy/access/rules.h"
#include "policy/limits/limits.h"

namespace nohalt::policy {

// What one rule said.
struct Weighed {
  enum class Outcome { kAllows, kDenies, kStandsAside, kNeedsApproval };
  Outcome outcome = Outcome::kStandsAside;
  std::string rule;  // as rule_text
  std::string why;   // empty where it allows
};

struct Verdict {
  bool is_allowed = false;
  std::string rule;    // the name of the rule that decided; empty: there is none
  std::string key;     // of a role that does not allow: what about it; else empty
  Position at;         // of the rule, or of that key
  std::string reason;  // stable token of a denial
  std::string why;     // of a denial, one clause
  std::string hint;    // of a denial, one sentence; may be empty
  // Not allowed, and only for want of these: the approval of so many people.
  std::uint32_t needs_approvals = 0;
  bool breaks_glass = false;       // allowed without approvals that it takes
  std::size_t role = 0;            // where allowed, or so but for approvals: of Rules::roles
  std::vector<Limits> granted;     // likewise: one for each probe
  std::vector<std::string> notes;  // what was lowered, a sentence each
  std::vector<Weighed> weighed;    // every rule, in the order above
};

[[nodiscard]] Verdict weigh(const Rules& rules, const Question& question,
                            const Directory& directory);

// "1 other person", "2 other people".
[[nodiscard]] std::string people_text(std::uint32_t count);

// "oncall (/etc/nohalt/policy.yaml:4)", or "built-in: own-processes".
[[nodiscard]] std::string rule_text(const Rules& rules, const std::string& rule, Position at);

// What may be seen of values under the rules that allowed a request: frames and
// declarations that it does not name. Those that it names are weighed by weigh().
class SourceFilter {
 public:
  // Everything may be seen.
  SourceFilter() = default;
  SourceFilter(const Rules& rules, std::size_t role, const Question& question,
               const Directory& directory);

  [[nodiscard]] bool hides(const SourceUse& use) const;
  // Whether any source or function rule is in force.
  [[nodiscard]] bool is_active() const { return sources_ || functions_ || !denials_.empty(); }

 private:
  std::string source_root_;
  std::optional<AllowDeny> sources_;
  std::optional<AllowDeny> functions_;
  std::vector<DenyRule> denials_;
};

}  // namespace nohalt::policy
