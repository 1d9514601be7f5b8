// What the shape of a policy cannot tell, because it concerns several values at once.
//
// Threading: pure function.
#pragma once

#include <vector>

#include "policy/file/tree.h"

namespace nohalt::policy {

// Two rules of one name, patterns that match nothing, value rules without a pattern or with
// one too many. Of a tree whose shape may be wrong.
void check_whole(const Node& root, std::vector<Mistake>& mistakes);

}  // namespace nohalt::policy
