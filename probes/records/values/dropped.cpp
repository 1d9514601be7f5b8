#include "probes/records/values/dropped.h"

#include <algorithm>

namespace nohalt::values {

namespace {

bool has_dropped(const std::vector<Value>& values) {
  return std::ranges::any_of(values, &Value::is_dropped);
}

// It cannot do without what is dropped.
bool goes_with_it(const Value& value) {
  switch (value.kind) {
    case Value::Kind::kOptional:
    case Value::Kind::kVariant:
    case Value::Kind::kDuration:
    case Value::Kind::kTimePoint:
      return has_dropped(value.items);
    case Value::Kind::kPointer:  // of a text, which it shares its state with
      return has_dropped(value.target) && value.state == ValueState::kRedacted;
    default:
      return false;
  }
}

void drop(Value& value) {
  Value dropped;
  dropped.type = std::move(value.type);
  dropped.state = ValueState::kRedacted;
  dropped.is_dropped = true;
  value = std::move(dropped);
}

// Of a variant its name is left.
void empty_variant(Value& alternative) {
  Value& fields = alternative.members[0].second;
  if (!fields.is_dropped) return;
  Value none;
  none.kind = Value::Kind::kStruct;
  none.type = std::move(fields.type);
  none.state = ValueState::kExact;
  fields = std::move(none);
}

}  // namespace

void leave_out_dropped(Value& value) {
  for (auto& [name, member] : value.members) leave_out_dropped(member);
  for (Value& item : value.items) leave_out_dropped(item);
  for (Value& target : value.target) leave_out_dropped(target);
  if (goes_with_it(value)) return drop(value);
  if (value.kind == Value::Kind::kAlternative) empty_variant(value);
  std::erase_if(value.members, [](const auto& member) { return member.second.is_dropped; });
  std::erase_if(value.target, [](const Value& target) { return target.is_dropped; });
  const bool is_map = value.kind == Value::Kind::kMap;
  std::erase_if(value.items, [is_map](const Value& item) {
    const bool is_empty_pair = is_map && item.kind == Value::Kind::kStruct && item.members.empty();
    return item.is_dropped || is_empty_pair;
  });
}

}  // namespace nohalt::values
