// Taking a run's own memory out of a target once its text is restored.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "probes/target/remote_thread.h"
#include "src/base/address.h"
#include "src/base/result.h"

namespace nohalt::engines {

struct RunRegions {
  std::vector<RuntimeRange> code;
  RuntimeAddress gate;
  RuntimeRange control;
};

// Unmaps what of the regions is still there and still nohalt's: a range that is
// free by now may have become the target's. Code goes first, and only once it is
// shown to be empty; where it could not be all stays, dormant, and who may be in it
// is given.
[[nodiscard]] Result<std::optional<std::string>> remove_regions(target::RemoteThread& thread,
                                                                const RunRegions& regions);

// Says so: what stays, why, and how to be rid of it.
[[nodiscard]] std::string code_stays(const std::string& who);

}  // namespace nohalt::engines
