// Reading quantities as people write them: a number and a unit, the unit always
// there, so that `--for 10` cannot mean minutes to one reader and seconds to
// another.
//
// Errors are of kind kUsage and name the text: missing-unit, unknown-unit,
// not-a-number, out-of-range.
// Threading: pure functions.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

#include "src/base/result.h"

namespace nohalt {

// `250ms`, `30s`, `10m`, `1h`. More than zero, at most ten years.
[[nodiscard]] Result<std::chrono::milliseconds> parse_duration(std::string_view text);

// `512B`, `16KiB`, `1MiB`, `2GiB`, in bytes. More than zero, at most 1 PiB.
[[nodiscard]] Result<std::uint64_t> parse_size(std::string_view text);

// `10/s`, a count each second. More than zero, at most 100000000/s.
[[nodiscard]] Result<std::uint64_t> parse_rate(std::string_view text);

// `1%`, `0.5%`, as a share: 1.0 is 100%. More than zero, at most 100%.
[[nodiscard]] Result<double> parse_percent(std::string_view text);

// A plain whole number without a unit, from 1 to `largest`; `what` names it in
// messages ("a pid", "a number of hits").
[[nodiscard]] Result<std::uint64_t> parse_count(std::string_view text, std::string_view what,
                                                std::uint64_t largest);

// --hits and --depth, alike on the command line and in a probe file.
[[nodiscard]] Result<std::uint64_t> parse_hits(std::string_view text);
[[nodiscard]] Result<std::uint32_t> parse_depth(std::string_view text);

}  // namespace nohalt
