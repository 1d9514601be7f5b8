// errno: a thread-local variable of the C library, which has no debug information as a
// rule, so that no program's own knows its place.
//
// Threading: any; reads files and the target's memory.
#pragma once

#include "probes/records/values/value.h"
#include "probes/symbols/debug_info.h"
#include "probes/target/maps.h"
#include "probes/target/process.h"

namespace nohalt::session {

// The variable as an expression names it. Where its place cannot be shown to be right, its
// location says why.
[[nodiscard]] symbols::Variable error_number_of(const target::Process& process,
                                                const target::Maps& maps);

// Writes the error's name, "ENOENT", beside its number.
void name_error(values::Value& value);

}  // namespace nohalt::session
