// Several probes in one YAML file (-f FILE): all are armed, or none.
//
//   probes:
//     - at: orders.c:142
//       message: "order {order->id} costs {total}"
//       if: total > 1000
//       limit: 10/s
//     - at: cancel_order
//       message: "cancelled {id}"
//       hits: 5
//
// Keys of a probe: at is required, and message where the probes are logpoints (a
// snapshot has none); if, capture (a list), limit, hits, for, cpu, depth and stack
// (true, or a number of frames) mean what the options of those names mean.
// Unknown keys are errors, so that a misspelt `limit` cannot be lost.
// Threading: pure function.
#pragma once

#include <string_view>
#include <vector>

#include "probes/spec/probe_spec.h"
#include "src/base/result.h"

namespace nohalt::spec {

// Fills what a probe of the file does not say from `defaults`. `name` is what
// messages call the file. Errors: malformed-probe-file, with line and column.
[[nodiscard]] Result<std::vector<ProbeSpec>> parse_probe_file(std::string_view yaml,
                                                              std::string_view name,
                                                              const ProbeSpec& defaults);

// A probe file larger than this is refused before it is parsed.
inline constexpr std::size_t kLargestProbeFile = 1024 * 1024;
inline constexpr std::size_t kMostProbes = 64;

}  // namespace nohalt::spec
