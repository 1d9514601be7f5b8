// Where a function's result is when it returns, by the x86-64 System V ABI (section
// 3.2.3, "Returning of Values"): classes of eightbytes in rax, rdx, xmm0 and xmm1, or
// an object in memory whose address is in rax. What is not told for certain (x87,
// vectors, classes of which the compiler does not say how they are passed) is
// unavailable, and says why.
//
// Threading: pure.
#pragma once

#include "probes/symbols/debug_info.h"
#include "probes/symbols/location.h"

namespace nohalt::symbols {

// For a function that returns something.
[[nodiscard]] Location return_location(const FunctionReturn& result);

}  // namespace nohalt::symbols
