// What a file of cases may hold, as policy_shape.h says it of a policy.
//
// Threading: immutable.
#pragma once

#include "policy/file/shape.h"

namespace nohalt::policy {

[[nodiscard]] const Shape& cases_shape();

}  // namespace nohalt::policy
