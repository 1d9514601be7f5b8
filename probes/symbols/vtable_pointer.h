// Which objects tell what they really are.
//
// Threading: pure.
#pragma once

#include "probes/symbols/types.h"

namespace nohalt::symbols {

// Whether an object of the class begins with a pointer to a vtable: it has virtual
// functions or virtual bases.
[[nodiscard]] bool has_vtable_pointer(const Type* type, int depth = 0);

}  // namespace nohalt::symbols
