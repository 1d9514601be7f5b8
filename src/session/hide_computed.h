// Numbers that a rule knows by their digits (a payment card in a `long`), computed into
// others: number - 1, number / 10, number == 5. The result looks like nothing, so each
// number that an expression computes with is put to the value rules, as it would be shown
// by itself; where they hide one, the result is hidden too.
//
// Threading: pure.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "policy/redaction/value_rules.h"
#include "probes/capture/layout.h"
#include "probes/records/values/value.h"

namespace nohalt::session {

// `values` are those of the layout, in its order; there may be fewer of them.
void hide_computed(const capture::CaptureLayout& layout, std::span<const std::byte> body,
                   std::span<values::NamedValue> values, const policy::ValueRules& rules);

}  // namespace nohalt::session
