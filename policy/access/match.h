// Whether the conditions of one rule hold for what is asked, one condition at a
// time. Three answers, because a fact may be unknown: an allow needs kYes, a deny
// holds unless kNo.
//
// Threading: pure functions.
#pragma once

#include <optional>
#include <string>

#include "policy/access/facts.h"
#include "policy/access/rules.h"

namespace nohalt::policy {

enum class Match { kNo, kYes, kUnknown };

[[nodiscard]] Match members_match(const Members& members, const Asker& asker,
                                  const Directory& directory);

// To allow, every one of the four uids must be listed; to deny, one is enough.
enum class Purpose { kAllow, kDeny };
struct WhereMatch {
  Match match = Match::kYes;
  std::string why;  // where it is not kYes: the condition that decided, for people
};
[[nodiscard]] WhereMatch where_matches(const Where& where, const ProcessFacts& process,
                                       const Directory& directory, Purpose purpose, Stage stage);

// Why the rule does not let this be seen; absent: it does.
[[nodiscard]] std::optional<std::string> why_source_denied(const AllowDeny& sources,
                                                           const SourceUse& use,
                                                           const std::string& source_root);
[[nodiscard]] std::optional<std::string> why_function_denied(const AllowDeny& functions,
                                                             const SourceUse& use);
// Whether a deny rule with sources or functions (or both) is about it.
[[nodiscard]] bool concerns(const DenyRule& rule, const SourceUse& use,
                            const std::string& source_root);

}  // namespace nohalt::policy
