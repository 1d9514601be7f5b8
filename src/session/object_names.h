// Objects of classes that the program's debug information does not know, by the names
// that the symbols of their vtables have.
//
// Threading: one thread at a time with one Vtables.
#pragma once

#include "probes/capture/capture.h"
#include "probes/classes/vtables.h"
#include "probes/records/values/value.h"

namespace nohalt::session {

// Of an object with a vtable pointer: whether policy hides its class by its name.
[[nodiscard]] bool is_hidden_object(const values::Value& value, const classes::Vtables& vtables,
                                    const capture::IsRedacted& is_redacted);
// In the value and in whatever lies inside it. An object whose class policy hides by its
// name is hidden.
void name_objects(values::Value& value, const classes::Vtables& vtables,
                  const capture::IsRedacted& is_redacted);

}  // namespace nohalt::session
