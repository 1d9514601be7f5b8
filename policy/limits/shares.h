// What a role lets the probes of one run take: each at most what the role says of
// a probe, and together at most what other runs leave of the totals on the
// target, of the user and on the host. What is left is shared out evenly.
//
// Threading: pure function.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "policy/access/facts.h"
#include "policy/access/rules.h"

namespace nohalt::policy {

struct SharedUsage {
  std::optional<Usage> target;  // absent: unknown
  std::optional<Usage> user;
  std::optional<Usage> host;
};

struct SharedLimits {
  std::vector<Limits> probes;
  std::vector<std::string> notes;
  std::string refusal;  // why nothing is granted, one clause; empty: it is
  std::string hint;
};

// `left`: how long the role still holds; absent: for good.
[[nodiscard]] SharedLimits share_limits(const RoleLimits& limits,
                                        const std::vector<AskedLimits>& asked,
                                        const SharedUsage& usage,
                                        std::optional<std::chrono::milliseconds> left);

// The most of one probe, where the role says it, else the built-in maximum.
[[nodiscard]] Limits maxima_of(const RoleLimits& limits);

}  // namespace nohalt::policy
