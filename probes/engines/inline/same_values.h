// Whether a probe at another instruction of the statement reads what one at the
// statement's first address would: every argument and local where it was, and
// no register that one of them uses written on the way. What lies in memory is
// the same by the choice of alternatives (sites/alternatives.h: none behind a
// store).
//
// Threading: pure functions but for sees_same_values, which reads the symbols.
#pragma once

#include <cstdint>
#include <span>

#include "probes/engines/inline/sites/alternatives.h"
#include "probes/symbols/debug_info.h"

namespace nohalt::engines {

// The same operations, registers and constants; both may be unavailable.
[[nodiscard]] bool same_location(const symbols::Location& a, const symbols::Location& b);

struct RegistersUsed {
  std::uint16_t general = 0;  // bit per register as instructions number them (rax 0, rcx 1, ...)
  bool vector = false;        // xmm, or one that has no general number
};
[[nodiscard]] RegistersUsed registers_used(const symbols::Location& location);

// Name for name: nothing comes into view, goes, moves or is overwritten.
[[nodiscard]] bool same_values(std::span<const symbols::Variable> at_first,
                               std::span<const symbols::Variable> at_other,
                               const inline_sites::Alternative& other);

// False also where the symbols cannot tell.
[[nodiscard]] bool sees_same_values(const symbols::DebugInfo& info, LinkAddress first,
                                    const inline_sites::Alternative& other);

}  // namespace nohalt::engines
