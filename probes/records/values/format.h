// Shared by the forms that values are written in.
#pragma once

#include <string>

#include "probes/language/template.h"
#include "probes/records/values/value.h"

namespace nohalt::values {

[[nodiscard]] std::string float_text(const Value& value);
[[nodiscard]] std::string integer_text(const Value& value);

// The value as a spec asks for it. What the spec does not suit (a value that is
// not there, say) is written plainly, and padded.
[[nodiscard]] std::string formatted(const Value& value, const language::FormatSpec& spec);

}  // namespace nohalt::values
