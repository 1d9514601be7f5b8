// Wall-clock times as text that people and programs read alike.
// Threading: pure functions, but now_wall_ns, which reads the clock.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace nohalt {

// Nanoseconds since the epoch as RFC 3339 in UTC with all nine digits:
// 2025-11-21T10:15:30.000000001Z.
[[nodiscard]] std::string rfc3339_utc(std::int64_t wall_ns);

// Back from RFC 3339 in UTC: 2025-11-21, 2025-11-21T10:15Z, with or without seconds
// and a fraction of up to nine digits. Nothing where it is no such time.
[[nodiscard]] std::optional<std::int64_t> parse_rfc3339(std::string_view text);

[[nodiscard]] std::int64_t now_wall_ns();

}  // namespace nohalt
