// What policy hides, as capturing asks it.
#include "src/session/redaction.h"

#include <gtest/gtest.h>

namespace nohalt::session {
namespace {

policy::RedactionRules rules_for_sources() {
  policy::RedactionRules rules(std::vector<std::string>{});
  rules.add_source({"src/auth/**"}, "/build");
  return rules;
}

TEST(Redaction, by_source_hides_variables_of_a_denied_file_or_an_unknown_one) {
  const policy::RedactionRules rules = rules_for_sources();
  const capture::Redaction redaction = redaction_of(rules, nullptr);
  symbols::Variable variable;
  EXPECT_TRUE(redaction.variable(variable));
  variable.declared_file = "/build/src/auth/key.cpp";
  EXPECT_TRUE(redaction.variable(variable));
  variable.declared_file = "/build/src/main.cpp";
  EXPECT_FALSE(redaction.variable(variable));
}

TEST(Redaction, by_source_takes_what_the_compiler_made_by_its_type) {
  const policy::RedactionRules rules = rules_for_sources();
  const capture::Redaction redaction = redaction_of(rules, nullptr);
  symbols::Variable variable;
  variable.is_artificial = true;
  EXPECT_FALSE(redaction.variable(variable));
  variable.declared_file = "/build/src/auth/key.cpp";
  EXPECT_TRUE(redaction.variable(variable));
}

}  // namespace
}  // namespace nohalt::session
