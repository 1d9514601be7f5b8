// The clock since boot decides; the wall's can only make something older.
#include "policy/approval/moment.h"

#include <algorithm>

#include "src/base/time_text.h"

namespace nohalt::policy {

Result<Moment> now_moment() {
  NOHALT_TRY(BootTime boot, boot_time());
  return Moment{now_wall_ns(), std::move(boot)};
}

std::optional<std::chrono::milliseconds> age_of(const Moment& then, const Moment& now) {
  if (then.boot.boot_id != now.boot.boot_id || then.boot.ms > now.boot.ms) return std::nullopt;
  constexpr std::int64_t kNsToAMs = 1'000'000;
  const auto by_boot = static_cast<std::int64_t>(now.boot.ms - then.boot.ms);
  const std::int64_t by_wall = now.wall_ns / kNsToAMs - then.wall_ns / kNsToAMs;
  return std::chrono::milliseconds{std::max(by_boot, by_wall)};
}

}  // namespace nohalt::policy
