// Each question is put to each policy.
#include "policy/access/leave.h"

#include <algorithm>

namespace nohalt::policy {

bool Leave::hides(const SourceUse& use) const {
  return std::ranges::any_of(parts_, [&](const Part& part) { return part.filter.hides(use); });
}

bool Leave::may(Right right) const {
  if (parts_.empty()) return right != Right::kRaw;
  return std::ranges::all_of(parts_, [&](const Part& part) { return includes(part.may, right); });
}

bool Leave::has_source_rules() const {
  return std::ranges::any_of(parts_, [](const Part& part) { return part.filter.is_active(); });
}

std::uint64_t Leave::snapshot_bytes() const {
  std::uint64_t least = Limits{}.snapshot_bytes;
  for (const Part& part : parts_) least = std::min(least, part.snapshot_bytes);
  return least;
}

std::uint32_t Leave::probes() const {
  if (parts_.empty()) return builtin_maxima().probes;
  std::uint32_t least = parts_.front().probes;
  for (const Part& part : parts_) least = std::min(least, part.probes);
  return least;
}

}  // namespace nohalt::policy
