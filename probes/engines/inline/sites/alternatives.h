// Other places in the same statement where a probe would see the same: reached
// by straight-line code from the statement's first instruction and from nowhere
// else, before anything has been stored.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "probes/engines/inline/sites/function_code.h"

namespace nohalt::inline_sites {

struct Alternative {
  LinkAddress pc;
  // Registers written since the first instruction: a variable that lives in one
  // of these may have changed, so its location must be compared by the caller.
  std::uint16_t general_written = 0;
  bool vector_written = false;
};

// In address order, without `first` itself. `statement` holds the address ranges
// of the statement's line rows. Empty where the function is not fully understood.
[[nodiscard]] std::vector<Alternative> alternative_sites(const FunctionCode& code,
                                                         LinkAddress first,
                                                         std::span<const LinkRange> statement);

}  // namespace nohalt::inline_sites
