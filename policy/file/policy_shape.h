// The shapes of the files that policy reads: a policy, the labels of a host.
// Threading: immutable.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include "policy/file/shape.h"

namespace nohalt::policy {

[[nodiscard]] const Shape& policy_shape();
[[nodiscard]] const Shape& host_shape();

// Parts of a policy that other files have too.
[[nodiscard]] const Shape& principal_shape();
[[nodiscard]] const Shape& principals_shape();
[[nodiscard]] const Shape& rights_shape();
[[nodiscard]] const Shape& totals_shape();
[[nodiscard]] const Shape& labels_shape();
[[nodiscard]] const Shape& instant_shape();

// docs/policy.schema.json.
[[nodiscard]] std::string policy_json_schema();

// `2026-12-01T18:00:00Z`, or with an offset such as +01:00. Absent: there is no such time.
[[nodiscard]] std::optional<std::chrono::sys_seconds> parse_instant(std::string_view text);

}  // namespace nohalt::policy
