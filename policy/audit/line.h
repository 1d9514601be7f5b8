// One event as one line of canonical JSON (RFC 8785): keys sorted, no spaces,
// whole numbers only, so that the same event always gives the same bytes and
// their hash means something.
//
// Every text that nohalt did not write passes the value rules in force and is escaped
// here, in the one place where lines are made. What people wrote passes all of them; names
// of things all but high-entropy, which takes ids and hashes for secrets; who did it and a
// build id only the built-in ones and none, since a record has to name them.
// Threading: pure function.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "policy/audit/event.h"
#include "policy/audit/key.h"
#include "policy/redaction/value_rules.h"

namespace nohalt::policy {

// When, by three clocks, and the links of the chain.
struct LineFrame {
  std::int64_t wall_ns = 0;
  std::uint64_t boot_ms = 0;  // since boot, sleep included
  std::string boot_id;
  std::uint64_t seq = 1;  // its number in the trail, over all files of it
  std::string previous;   // SHA-256 of the line before; zeros in the first
  std::string chain;      // chain_after of the line before; zeros in the first
  std::string torn;       // SHA-256 of a half-written line that stands before; else empty
  Signature signature;    // of a checkpoint
};

// Without the newline at its end.
[[nodiscard]] std::string audit_line(const Event& event, const LineFrame& frame,
                                     const ValueRules& rules = ValueRules::builtin());

// What a checkpoint's signature is over, from its line: all but the signature.
[[nodiscard]] std::string signed_message(std::string_view line);

// The hash that stands for "nothing before".
inline constexpr std::string_view kNoPrevious =
    "0000000000000000000000000000000000000000000000000000000000000000";

// The chain's value after a line, from the value before it and the line's SHA-256.
// So of a line that is not to be shown, its hash is enough to go on.
[[nodiscard]] std::string chain_after(std::string_view chain, std::string_view line_hash);

}  // namespace nohalt::policy
