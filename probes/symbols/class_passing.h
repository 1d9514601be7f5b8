// How objects of a class are handed over by value: in registers and on the stack, or by the
// address of a copy. Internal.
#pragma once

#include <string_view>

#include "probes/symbols/debug_info.h"
#include "probes/symbols/die.h"

namespace nohalt::symbols {

// Of a class's, struct's or union's DIE, from a unit of this producer. kUnknown where it
// cannot be told for certain.
[[nodiscard]] FunctionReturn::ClassPassing class_passing(Dwarf_Die type, std::string_view producer);

// Whether a vector (of the compiler's, such as __m128) is in it, which looks like an array but
// is handed over in one register.
[[nodiscard]] bool has_vector(Dwarf_Die type);

}  // namespace nohalt::symbols
