// What a prepared probe would show of each value, and what not: told by the layout of its
// record, which is what the program fills, and not by the rules once more.
//
// Threading: pure.
#pragma once

#include <vector>

#include "src/output/plan_report.h"
#include "src/session/prepare.h"

namespace nohalt::session {

[[nodiscard]] std::vector<output::PlanValue> disclosures_of(const PreparedSite& site);

}  // namespace nohalt::session
