// Why a value must not be read: by the rules for the steps that lead to it, for what has a
// part in it, and for its bytes.
//
// Threading: as the rules.
#pragma once

#include <optional>
#include <string>

#include "probes/capture/redaction.h"
#include "probes/language/bound.h"

namespace nohalt::capture {

// Of bytes in which anything may be kept.
inline const Why kErased = {
    ValueState::kRedacted, "hidden by policy: what is kept in these bytes is not known", "unknown"};

// Of one step on the way to a value. Absent: it may be read.
[[nodiscard]] std::optional<Why> why_step_hidden(const std::string& path, const symbols::Type* type,
                                                 const Redaction& redaction);
// The same of a variable by itself.
[[nodiscard]] std::optional<Why> why_hidden(const symbols::Variable& variable,
                                            const Redaction& redaction);
// Why the expression must not be evaluated: its value would read, or be steered by,
// something that is redacted.
[[nodiscard]] std::optional<Why> why_hidden(const language::Expr& expr, const Redaction& redaction);

}  // namespace nohalt::capture
