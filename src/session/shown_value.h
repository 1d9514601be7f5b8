// Decoded values as the output takes them.
//
// Threading: pure.
#pragma once

#include <cstdint>

#include "probes/records/values/value.h"
#include "src/output/value.h"
#include "src/session/snapshot.h"

namespace nohalt::session {

[[nodiscard]] output::Value shown_value(const values::NamedValue& named, bool in_message);
// The same as a tree in which each part has its type.
[[nodiscard]] output::Value tree_value(const values::NamedValue& named);
// Of a function's variable, with its role; null: it was left out. `line` is where the
// function is.
[[nodiscard]] output::Value scope_value(const ScopeValue& scope, const values::Value* value,
                                        std::uint32_t line);

}  // namespace nohalt::session
