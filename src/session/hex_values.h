// Values that a message shows as hexadecimal digits. In them no rule would know a text, so
// the bytes are put to the value rules before, by themselves and where they stand in the
// message.
//
// Threading: pure.
#pragma once

#include <cstddef>
#include <span>

#include "policy/redaction/value_rules.h"
#include "probes/capture/layout.h"
#include "probes/language/binder.h"
#include "probes/records/values/value.h"
#include "src/base/result.h"

namespace nohalt::session {

// Error wrong-spec: a value is to be shown so that is not made of bytes.
[[nodiscard]] Status check_hex(const language::BoundTemplate& message);

// In place; values[i] belongs to message.values[i].
void show_hex(const language::BoundTemplate& message, const capture::CaptureLayout& layout,
              std::span<const std::byte> body, std::span<values::NamedValue> values,
              const policy::ValueRules& rules);

}  // namespace nohalt::session
