// One event as one line of canonical JSON (RFC 8785): keys sorted, no spaces,
// whole numbers only, so that the same event always gives the same bytes and
// their hash means something.
//
// Every text that nohalt did not write passes the value rules and is escaped
// here, in the one place where lines are made.
// Threading: pure function.
#pragma once

#include <cstdint>
#include <string>

#include "policy/audit/event.h"

namespace nohalt::policy {

// When, by three clocks, and the links of the chain.
struct LineFrame {
  std::int64_t wall_ns = 0;
  std::uint64_t boot_ms = 0;  // since boot, sleep included
  std::string boot_id;
  std::string previous;  // SHA-256 of the line before; zeros in the first
  std::string torn;      // SHA-256 of a half-written line that stands before; else empty
};

// Without the newline at its end.
[[nodiscard]] std::string audit_line(const Event& event, const LineFrame& frame);

}  // namespace nohalt::policy
