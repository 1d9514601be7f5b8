#include "policy/audit/trails.h"

#include <algorithm>

namespace nohalt::policy {

Result<Trails> Trails::open(const Caller& caller, const std::vector<TrailName>& names,
                            const TrailOptions& options) {
  Trails trails;
  for (const TrailName& name : names) {
    NOHALT_TRY(const std::string path, Trail::path_of(caller, name.path));
    const auto is_same = [&](const Trail& trail) { return trail.path() == path; };
    if (std::ranges::any_of(trails.trails_, is_same)) continue;
    TrailOptions its = options;
    its.is_persons = name.is_persons;
    // One copy of a record is enough.
    if (!trails.trails_.empty()) its.copy_every_record = false;
    NOHALT_TRY(Trail trail, Trail::open(caller, name.path, its));
    trails.trails_.push_back(std::move(trail));
  }
  return trails;
}

// One that cannot be written keeps nothing out of the others.
Status Trails::append(const Event& event) const {
  Status all;
  for (const Trail& trail : trails_)
    if (const Status appended = trail.append(event); all && !appended) all = appended;
  return all;
}

Result<bool> Trails::append_alert(const Event& event) const {
  for (const Trail& trail : trails_)
    if (&trail != &trails_.front()) NOHALT_CHECK(trail.append(event));
  return first().append_alert(event);
}

void Trails::set_value_rules(const ValueRules& rules) {
  for (Trail& trail : trails_) trail.set_value_rules(rules);
}

void Trails::keep_signed() {
  for (Trail& trail : trails_) trail.keep_signed();
}

}  // namespace nohalt::policy
