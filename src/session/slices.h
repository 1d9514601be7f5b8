// Parts of texts that an expression takes: characters by their index, what a pointer into
// the middle leads to, numbers made of its bytes. By itself a part looks like nothing, so
// the whole text is captured with it, once for all its parts, and put to the value rules;
// where they hide something of it, or it cannot be seen whole, the part is hidden.
//
// Threading: pure.
#pragma once

#include <cstddef>
#include <vector>

#include "policy/redaction/value_rules.h"
#include "probes/language/bound.h"
#include "probes/records/values/value.h"

namespace nohalt::session {

struct Slice {
  std::vector<std::size_t> from_last;  // what takes a part, from the last that is asked for
  language::BoundPtr text;             // captured behind all that is asked for, in this order
};

// The texts that the values take parts of.
[[nodiscard]] std::vector<Slice> slices_of(const std::vector<language::BoundPtr>& values);

// Takes the texts off the end of `values` again and hides the parts of those that a rule
// knows. The values that are asked for are the last before them.
void hide_slices(const std::vector<Slice>& slices, std::vector<values::NamedValue>& values,
                 const policy::ValueRules& rules);

// Of a union in it, members are the same bytes: where a rule knows one, all are hidden.
void hide_overlaid(values::Value& value, const policy::ValueRules& rules);

}  // namespace nohalt::session
