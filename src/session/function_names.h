// Pointers to functions by the names that the files of the process have for them.
//
// Threading: one thread at a time with one UnwindImages.
#pragma once

#include "probes/records/values/value.h"
#include "probes/stacks/images.h"

namespace nohalt::session {

// In the value and in whatever lies inside it.
void name_functions(values::Value& value, const stacks::UnwindImages& images);

}  // namespace nohalt::session
