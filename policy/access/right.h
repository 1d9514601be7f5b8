// What a role may do. Each is given by name; none is part of another, but for
// snap-locals, which includes snap.
//
// Threading: pure functions over constants.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nohalt::policy {

enum class Right {
  kPlan,        // see what a probe would meet
  kLog,         // logpoints
  kSnap,        // snapshots of values that are named (--capture)
  kSnapLocals,  // snapshots of all that is in scope
  kStack,       // the functions that led to a hit
  kDeep,        // a frozen copy of the process
  kRaw,         // expressions that go round types
  kDebuginfo,   // debug files that root does not own
  kApprove,     // requests of others
  kAudit,       // read the trail
  kStopAll,     // take off other people's probes
};

struct NamedRight {
  Right right;
  std::string_view name;
};
inline constexpr std::array kRights{
    NamedRight{Right::kPlan, "plan"},       NamedRight{Right::kLog, "log"},
    NamedRight{Right::kSnap, "snap"},       NamedRight{Right::kSnapLocals, "snap-locals"},
    NamedRight{Right::kStack, "stack"},     NamedRight{Right::kDeep, "deep"},
    NamedRight{Right::kRaw, "raw"},         NamedRight{Right::kDebuginfo, "debuginfo"},
    NamedRight{Right::kApprove, "approve"}, NamedRight{Right::kAudit, "audit"},
    NamedRight{Right::kStopAll, "stop-all"}};

[[nodiscard]] std::string_view right_name(Right right);
[[nodiscard]] std::optional<Right> right_named(std::string_view name);

// Whether `given` includes `needed`.
[[nodiscard]] bool includes(const std::vector<Right>& given, Right needed);

}  // namespace nohalt::policy
