// From the name of a function to programs that see its calls: one where a call begins, with
// the arguments, and one at each return that can be seen, with the value. All of them, and
// those of all functions of that name, are one probe.
//
// Threading: one thread.
#pragma once

#include <vector>

#include "src/session/prepare.h"

namespace nohalt::session {

// As prepare(), for a probe of kind kCalls. A function whose entry cannot be probed is
// refused by its first site's plan. Reason of its own: only-inlined.
[[nodiscard]] Result<PreparedProbe> prepare_calls(const spec::ProbeSpec& spec,
                                                  const Modules& modules,
                                                  const engines::TargetView& view,
                                                  std::vector<engines::TakenBytes>& taken,
                                                  const PrepareOptions& options);

// The name that a return's only value has.
inline constexpr char kReturnName[] = "return";

}  // namespace nohalt::session
