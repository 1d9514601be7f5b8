// A table both ways.
#include "policy/access/right.h"

#include <algorithm>

namespace nohalt::policy {

std::string_view right_name(Right right) {
  return std::ranges::find(kRights, right, &NamedRight::right)->name;
}

std::optional<Right> right_named(std::string_view name) {
  const auto found = std::ranges::find(kRights, name, &NamedRight::name);
  if (found == kRights.end()) return std::nullopt;
  return found->right;
}

bool includes(const std::vector<Right>& given, Right needed) {
  const auto has = [&](Right right) { return std::ranges::find(given, right) != given.end(); };
  return has(needed) || (needed == Right::kSnap && has(Right::kSnapLocals));
}

}  // namespace nohalt::policy
