// The value rules of redaction over a hit, in place: its message, and each text
// and number inside its values. A value in which something was hidden says so, and
// in a snapshot each node of the tree on the way to it.
//
// Threading: one thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "policy/redaction/value_rules.h"
#include "src/output/record.h"

namespace nohalt::output {

class ValueRedactor {
 public:
  explicit ValueRedactor(policy::ValueRules rules) : rules_(std::move(rules)) {}

  void redact(Hit& hit);
  // What was hidden so far, by rule.
  [[nodiscard]] const std::map<std::string, std::uint64_t>& counts() const { return counts_; }

 private:
  policy::ValueRules rules_;
  std::map<std::string, policy::HashKey> keys_;  // by probe: hashes are alike within one only
  std::map<std::string, std::uint64_t> counts_;
};

// Whether a rule would hide something in the value.
[[nodiscard]] bool is_hidden(Value value, const policy::ValueRules& rules);

}  // namespace nohalt::output
