// What is taken out of a captured value before it is shown: what only the whole of it
// tells, and what policy drops.
//
// Threading: pure.
#pragma once

#include "policy/redaction/value_rules.h"
#include "probes/capture/redaction.h"
#include "probes/records/values/value.h"

namespace nohalt::session {

// Members of a union are the same bytes: where a rule knows one, all are hidden. Where only
// numbers may be seen, containers do not say how many items they have.
void withhold(values::Value& value, const policy::ValueRules& rules,
              const capture::Redaction& redaction);

}  // namespace nohalt::session
