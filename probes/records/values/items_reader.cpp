// Containers: what was walked of them, and why the walk ended. Every count in the
// record is checked against the slots that the layout has; how many items the
// container claims is shown, and believed by nobody.
#include <algorithm>

#include "probes/records/values/node_reader.h"

namespace nohalt::values {

using capture::Items;
using symbols::strip_typedefs;

namespace {

Value::Kind kind_of(Items::Kind kind) {
  switch (kind) {
    case Items::Kind::kSet:
      return Value::Kind::kSet;
    case Items::Kind::kMap:
      return Value::Kind::kMap;
    case Items::Kind::kOptional:
      return Value::Kind::kOptional;
    case Items::Kind::kVariant:
      return Value::Kind::kVariant;
    case Items::Kind::kPointer:
      return Value::Kind::kSmartPointer;
    case Items::Kind::kSequence:
    case Items::Kind::kBits:
    case Items::Kind::kObject:
      break;
  }
  return Value::Kind::kArray;
}

std::string shown_of(std::size_t shown, std::uint64_t count) {
  return std::to_string(shown) + " of " + std::to_string(count) + " shown";
}

Value pair_of(Value key, Value value) {
  Value pair;
  pair.kind = Value::Kind::kStruct;
  pair.type = "(" + key.type + ", " + value.type + ")";
  pair.state = ValueState::kExact;
  pair.byte_size = key.byte_size + value.byte_size;
  pair.members.emplace_back("__0", std::move(key));
  pair.members.emplace_back("__1", std::move(value));
  return pair;
}

}  // namespace

Halves halves_of(const Value& item) {
  if (item.kind != Value::Kind::kStruct || item.members.empty() || item.members.size() > 2)
    return {};
  const auto& [name, first] = item.members[0];
  if (item.members.size() == 2) return {&first, &item.members[1].second};
  const bool is_value = name == "second" || name == "__1";
  return is_value ? Halves{nullptr, &first} : Halves{&first, nullptr};
}

std::optional<std::uint64_t> NodeReader::number_at(std::uint32_t offset, std::uint64_t size) const {
  if (offset == capture::kNowhere) return std::nullopt;
  const auto there = bytes(offset, size);
  return there.empty() ? std::nullopt : std::optional(little_endian(there));
}

Value NodeReader::read_items(const Node& node, int nesting) {
  if (const auto why = missing(node)) return absent(node.type, *why);
  const bool too_large = ++made_ > kMaxValues || nesting > kMaxNesting;
  if (too_large) return absent(node.type, {ValueState::kUnavailable, "too large to show"});
  const Items& items = *node.items;
  if (items.kind == Items::Kind::kObject) return read_object(node, nesting);
  Value value = shell(node.type, kind_of(items.kind));
  switch (items.kind) {
    case Items::Kind::kBits:
      read_bits(value, node);
      break;
    case Items::Kind::kVariant:
      read_variant(value, node, nesting);
      break;
    case Items::Kind::kPointer:
      read_owner(value, node, nesting);
      break;
    default:
      value.count = number_at(items.count, 8);
      read_slots(value, node, nesting);
      break;
  }
  look(node, 0, 0, value);
  return value;
}

void NodeReader::read_slots(Value& value, const Node& node, int nesting) {
  const Items& items = *node.items;
  const std::uint64_t walked = number_at(items.walked, 4).value_or(0);
  const bool in_parts = !items.values.empty();
  if (walked > items.slots.size() || (in_parts && walked > items.values.size())) {
    value = absent(node.type, damaged());
    return;
  }
  for (std::size_t i = 0; i < walked && made_ < kMaxValues; ++i) {
    Value item = read_inner(items.slots[i], nesting + 1);
    if (in_parts) item = pair_of(std::move(item), read_inner(items.values[i], nesting + 1));
    value.items.push_back(std::move(item));
  }
  if (value.items.size() < walked)
    truncate(value, "too large to show");
  else
    judge_end(value, node);
}

void NodeReader::judge_end(Value& value, const Node& node) const {
  const std::size_t shown = value.items.size();
  const auto end = number_at(node.items->end, 1);
  if (!end) {
    // Nothing was walked: its items lie deeper than was asked for.
    if (value.count.value_or(1) == 0 && node.items->slots.empty()) return;
    return truncate(value, "its items are deeper than is captured");
  }
  if (*end == capture::kEndMore) {
    const bool fits = value.count.value_or(shown + 1) > shown;
    if (fits && value.count) return truncate(value, shown_of(shown, *value.count));
    return truncate(value, fits ? "there are more"
                                : "its size says " + std::to_string(*value.count) +
                                      ", and there are more: it was being changed");
  }
  if (*end == capture::kEndAll) {
    if (value.kind == Value::Kind::kOptional || !value.count) {
      value.count = shown;
    } else if (*value.count != shown) {
      truncate(value, "its size says " + std::to_string(*value.count) + ", and it has " +
                          std::to_string(shown) + ": it was being changed");
    }
    return;
  }
  const std::size_t index = static_cast<std::size_t>(*end) - capture::kEndFirstWhy;
  const bool known = *end >= capture::kEndFirstWhy && index < node.whys.size();
  truncate(value, known ? node.whys[index].text : damaged().text);
}

void NodeReader::read_bits(Value& value, const Node& node) const {
  const Items& items = *node.items;
  const auto count = number_at(items.count, 8);
  const auto bits = bytes(items.bits, items.bits_size);
  if (!count || (bits.empty() && items.bits_size != 0)) {
    value = absent(node.type, damaged());
    return;
  }
  value.count = count;
  const std::uint64_t shown =
      std::min({*count, std::uint64_t{8} * bits.size(), std::uint64_t{max_items_}});
  for (std::uint64_t i = 0; i < shown; ++i) {
    Value bit;
    bit.kind = Value::Kind::kBool;
    bit.type = items.item == nullptr ? "bool" : symbols::strip_typedefs(items.item)->name;
    bit.state = ValueState::kExact;
    bit.byte_size = 1;
    bit.bits = static_cast<std::uint64_t>(bits[i / 8]) >> (i % 8) & 1;
    value.items.push_back(std::move(bit));
  }
  if (shown < *count) truncate(value, shown_of(shown, *count));
}

void NodeReader::read_variant(Value& value, const Node& node, int nesting) {
  const Items& items = *node.items;
  const auto index = number_at(items.count, 8);
  if (!index) {
    value = absent(node.type, damaged());
    return;
  }
  value.bits = *index;
  if (*index >= items.slots.size()) return;
  if (items.walked == capture::kNowhere)
    value.items.push_back(
        absent(items.slots[*index].type, {ValueState::kUnavailable, "deeper than is captured"}));
  else
    value.items.push_back(read_inner(items.slots[*index], nesting + 1));
}

// What the vtable pointer said it is, and what the bytes that were copied then say, must
// be the same.
Value NodeReader::read_object(const Node& node, int nesting) {
  const Items& items = *node.items;
  const auto vptr = number_at(items.count, 8);
  const auto which = number_at(items.walked, 4);
  if (!vptr || !which || *which >= items.slots.size()) return absent(node.type, damaged());
  const Node& slot = items.slots[*which];
  const bool is_declared = *which + 1 == items.slots.size();
  const auto known = items.distances.find(*vptr);
  const std::uint64_t distance = is_declared || known == items.distances.end() ? 0 : known->second;
  const bool was_copied =
      slot.kind == Node::Kind::kBytes && !missing(slot) && !lost(slot, distance, 8);
  if (was_copied && little_endian(node_bytes(slot).subspan(distance, 8)) != *vptr)
    return absent(node.type, {ValueState::kUnavailable, "it became another object meanwhile"});
  Value value = read_inner(slot, nesting);
  value.vtable_pointer = *vptr;
  look(node, 0, 0, value);
  if (strip_typedefs(node.type)->name != strip_typedefs(slot.type)->name) {
    value.declared_type = strip_typedefs(node.type)->name;
    value.distance = distance;
  }
  return value;
}

void NodeReader::read_owner(Value& value, const Node& node, int nesting) {
  const Items& items = *node.items;
  const auto address = number_at(items.count, 8);
  const std::uint64_t walked = number_at(items.walked, 4).value_or(0);
  if (!address || walked > items.slots.size()) {
    value = absent(node.type, damaged());
    return;
  }
  value.bits = *address;
  value.uses = number_at(items.uses, 8);
  value.watchers = number_at(items.watchers, 8);
  // What nobody owns any more has been destroyed.
  const bool is_gone = value.uses && *value.uses == 0;
  if (*address != 0 && walked > 0 && !is_gone)
    value.target.push_back(read_inner(items.slots[0], nesting + 1));
}

}  // namespace nohalt::values
