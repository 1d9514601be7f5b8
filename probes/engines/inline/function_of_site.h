// The code of the function that a site lies in, with what leads into it from elsewhere.
//
// Threading: pure but for reading the file's bytes.
#pragma once

#include <vector>

#include "probes/engines/inline/sites/function_code.h"
#include "probes/symbols/debug_info.h"
#include "src/base/result.h"

namespace nohalt::engines {

struct SiteFunction {
  inline_sites::FunctionCode code;        // of the part that holds the site
  std::vector<LinkAddress> entered_from;  // landing pads, and where its other parts lead
};

// Errors: those of reading the file's bytes.
[[nodiscard]] Result<SiteFunction> function_of_site(const symbols::DebugInfo& info,
                                                    const symbols::LineSite& site);

}  // namespace nohalt::engines
