// A team's own test of its policy: a file of cases, each a question with the
// verdict that is expected. No process and no account of this machine plays a part:
// names of users and groups stand for themselves.
//
//   version: 1
//   policy: team.yaml
//   cases:
//     - name: on-call logs in orders
//       who: { user: alice, groups: [sre] }
//       process: { exe: /usr/bin/orders, run_as: [svc-orders], env: [prod] }
//       may: [log]
//       source: src/orders/total.c
//       reason: slow orders
//       expect: allow
//       rule: oncall
//
// Threading: pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "policy/access/facts.h"
#include "policy/access/rules.h"
#include "policy/access/verdict.h"
#include "policy/file/tree.h"

namespace nohalt::policy {

struct Case {
  std::string name;
  int line = 0;
  Question question;
  bool has_reachable_directory = true;
  bool is_allowed = false;                // expected
  bool needs_approval = false;            // expected: it only waits for approvals
  std::string rule;                       // expected; empty: any
  std::string because;                    // expected key of a role that does not allow; empty: any
  std::optional<Limits> granted;          // expected of the first probe; see `granted_keys`
  std::vector<std::string> granted_keys;  // which of them
};

struct ReadCases {
  std::string policy;  // the file, as it is written there
  std::vector<Case> cases;
  std::vector<Mistake> mistakes;  // not empty: the cases are not to be used
};
[[nodiscard]] ReadCases read_cases(std::string_view yaml);

struct CaseResult {
  Verdict verdict;
  std::string failure;  // what was not as expected; empty: all was
};
[[nodiscard]] CaseResult run_case(const Rules& rules, const Case& one);
// What a role lets be seen where it allowed the case.
[[nodiscard]] SourceFilter filter_of(const Rules& rules, std::size_t role, const Case& one);

}  // namespace nohalt::policy
