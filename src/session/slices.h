// Parts of texts that an expression takes: characters by their index, what a pointer into
// the middle leads to, numbers made of its bytes. By itself a part looks like nothing, so
// the whole text is captured with it and put to the value rules, and where they hide
// something of it, or it cannot be seen whole, the part is hidden.
//
// Threading: pure.
#pragma once

#include <cstddef>
#include <vector>

#include "policy/redaction/value_rules.h"
#include "probes/language/bound.h"
#include "probes/records/values/value.h"

namespace nohalt::session {

// The texts that the expression takes parts of, each as an expression of its own.
[[nodiscard]] std::vector<language::BoundPtr> texts_behind(const language::BoundExpression& value);

struct Slice {
  std::size_t from_last = 0;  // the value that takes the part, from the last that is asked for
  language::BoundPtr text;    // captured behind all that is asked for, in this order
};

// Takes the texts off the end of `values` again and hides the parts of those that a rule
// knows. The values that are asked for are the last before them.
void hide_slices(const std::vector<Slice>& slices, std::vector<values::NamedValue>& values,
                 const policy::ValueRules& rules);

}  // namespace nohalt::session
