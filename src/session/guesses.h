// Guesses: expressions whose answer would tell what only value rules hide.
//
// A condition decides in the target, where nobody knows what its text looks like; that it
// held is seen, and so a bit of the text. Comparing a whole text with one that no rule
// hides tells nothing about those that a rule does hide. A test of its beginning, or of
// what is in it, tells nothing either where no match can lie over what is tested for: that
// is ruled out by the literal alone, since the rules are known before any text is. So this
// is what is left.
//
// Threading: pure.
#pragma once

#include "policy/redaction/value_rules.h"
#include "probes/language/bound.h"
#include "src/base/result.h"

namespace nohalt::session {

// Error guess-of-hidden: it compares with a text or number that a rule hides.
[[nodiscard]] Status check_literals(const language::BoundExpression& value,
                                    const policy::ValueRules& rules);
// Error guess-of-part: it tests texts for one that may be a part of what a rule hides.
[[nodiscard]] Status check_tests(const language::BoundExpression& condition,
                                 const policy::ValueRules& rules);
// Error condition-on-part: it depends on a part of a text, and not only on whether that is
// a control character.
[[nodiscard]] Status check_parts(const language::BoundExpression& condition);

}  // namespace nohalt::session
