// Pointers to functions by the names that the files of the process have for them, and what
// a std::function holds by the name of the code or the class that the library made for it.
//
// Threading: one thread at a time with one UnwindImages.
#pragma once

#include "probes/records/values/value.h"
#include "probes/stacks/images.h"

namespace nohalt::session {

// In the value and in whatever lies inside it. Classes have to be named before.
void name_functions(values::Value& value, const stacks::UnwindImages& images);

}  // namespace nohalt::session
