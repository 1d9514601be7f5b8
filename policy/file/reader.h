// From the text of a policy file to its rules: whole, or not at all. All mistakes
// are found at once.
//
// Threading: pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/access/rules.h"
#include "policy/file/tree.h"

namespace nohalt::policy {

struct ReadRules {
  Rules rules;
  std::vector<Mistake> mistakes;  // not empty: the rules are not to be used
};
// `name` is what messages and verdicts call the file.
[[nodiscard]] ReadRules read_rules(std::string_view yaml, std::string name);
// The same of a tree that is part of another file.
[[nodiscard]] ReadRules read_rules(const Node& root, std::string name);

struct ReadHost {
  std::vector<std::string> env;
  std::vector<Mistake> mistakes;
};
// /etc/nohalt/host.yaml.
[[nodiscard]] ReadHost read_host(std::string_view yaml);

// "policy.yaml:3:5: There is no key "wher" here. Did you mean where?"
[[nodiscard]] std::string mistake_text(const std::string& file, const Mistake& mistake);

// Parts of a rule, for files that hold such parts.
[[nodiscard]] std::uint64_t number_of(const Node& node);
[[nodiscard]] bool truth_of(const Node& node);
[[nodiscard]] Principal principal_of(const Node& node);
[[nodiscard]] Totals totals_of(const Node& node);
[[nodiscard]] std::vector<Right> rights_of(const Node& list);
[[nodiscard]] std::vector<std::string> texts_of(const Node& list);

}  // namespace nohalt::policy
