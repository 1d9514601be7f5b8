#include "src/session/withhold.h"

#include <algorithm>

#include "probes/records/values/dropped.h"
#include "src/output/redact.h"
#include "src/session/shown_value.h"
#include "src/session/slices.h"

namespace nohalt::session {

namespace {

void hide_overlaid(values::Value& value, const policy::ValueRules& rules) {
  for (auto& [name, member] : value.members) hide_overlaid(member, rules);
  for (values::Value& item : value.items) hide_overlaid(item, rules);
  for (values::Value& target : value.target) hide_overlaid(target, rules);
  if (!value.is_union || value.members.size() < 2) return;
  const auto is_known = [&](const auto& member) {
    return output::is_hidden(shown_value({"", member.second}, false), rules);
  };
  if (std::ranges::any_of(value.members, is_known))
    hide_part(value, "a rule hides one of its members, which share their bytes");
}

void hide_lengths(values::Value& value) {
  for (auto& [name, member] : value.members) hide_lengths(member);
  for (values::Value& item : value.items) hide_lengths(item);
  for (values::Value& target : value.target) hide_lengths(target);
  if (!value.count) return;
  value.count.reset();
  if (value.state == values::ValueState::kTruncated) value.why = "not all of it is shown";
}

}  // namespace

void withhold(values::Value& value, const policy::ValueRules& rules,
              const capture::Redaction& redaction) {
  hide_overlaid(value, rules);
  if (redaction.all_but_numbers) hide_lengths(value);
  values::leave_out_dropped(value);
}

}  // namespace nohalt::session
