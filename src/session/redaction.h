// What policy hides, as capturing asks it.
//
// A rule for types hides what is of the type, or of a class below it, and what leads to
// such a value or is made of such: pointers, references, arrays.
#pragma once

#include <string>

#include "policy/access/leave.h"
#include "policy/redaction/redaction_rules.h"
#include "probes/capture/redaction.h"

namespace nohalt::session {

// Also what the rules of access let nobody see; null: there are none. Both must outlive the
// answer.
[[nodiscard]] capture::Redaction redaction_of(const policy::RedactionRules& rules,
                                              const policy::Leave* leave);

}  // namespace nohalt::session
