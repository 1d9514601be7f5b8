// Objects of classes that the program's debug information does not know, by the names
// that the symbols of their vtables have.
//
// Threading: one thread at a time with one Vtables.
#pragma once

#include <optional>

#include "probes/capture/capture.h"
#include "probes/classes/vtables.h"
#include "probes/records/values/value.h"

namespace nohalt::session {

// Of an object with a vtable pointer: why policy hides its class by its name, if it does.
[[nodiscard]] std::optional<capture::Why> why_object_hidden(const values::Value& value,
                                                            const classes::Vtables& vtables,
                                                            const capture::Redaction& redaction);
// In the value and in whatever lies inside it. An object whose class policy hides by its
// name is hidden.
void name_objects(values::Value& value, const classes::Vtables& vtables,
                  const capture::Redaction& redaction);

}  // namespace nohalt::session
