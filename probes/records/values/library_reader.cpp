// Types of the standard libraries that hold their values in themselves: arrays, pairs,
// tuples, atomics, durations, points in time, functions. They are structs like others
// but for their names and members; one whose members are not those that are expected is
// shown as the struct that it is.
#include <algorithm>
#include <charconv>

#include "probes/capture/containers/fields.h"
#include "probes/capture/containers/recognise.h"
#include "probes/records/values/node_reader.h"
#include "src/base/time_text.h"

namespace nohalt::values {

using capture::containers::Field;
using capture::containers::find_field;
using symbols::Member;
using symbols::strip_typedefs;
using symbols::Type;

namespace {

// "duration" of std::chrono::duration<...>, of either library; empty: not of the library.
std::string_view library_class(std::string_view name) {
  if (!name.starts_with("std::")) return {};
  name = name.substr(0, name.find('<'));
  return name.substr(name.rfind(':') + 1);
}

std::optional<Field> first_of(
    const Type* type, std::initializer_list<std::initializer_list<std::string_view>> paths) {
  for (const auto& path : paths)
    if (auto found = find_field(type, path)) return found;
  return std::nullopt;
}

struct Ratio {
  std::uint64_t over = 1;
  std::uint64_t under = 1;
};

// Of std::ratio<1, 1000>; what is not said is 1.
std::optional<Ratio> ratio_of(std::string_view name) {
  if (!name.starts_with("std::") || name.find("ratio<") == name.npos) return std::nullopt;
  std::array<std::uint64_t, 2> numbers = {1, 1};
  std::string_view rest = name.substr(name.find('<') + 1);
  for (std::uint64_t& number : numbers) {
    rest.remove_prefix(std::min(rest.find_first_not_of(" ,"), rest.size()));
    if (rest.starts_with('>')) break;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
    if (error != std::errc() || number == 0) return std::nullopt;
    rest.remove_prefix(std::min(rest.find_first_of(",>"), rest.size()));
  }
  return Ratio{numbers[0], numbers[1]};
}

std::string unit_name(const Ratio& ratio) {
  struct Known {
    std::uint64_t over, under;
    const char* name;
  };
  static constexpr Known kKnown[] = {
      {1, 1'000'000'000, "ns"}, {1, 1'000'000, "us"}, {1, 1000, "ms"}, {1, 1, "s"},
      {60, 1, "min"},           {3600, 1, "h"},       {86'400, 1, "d"}};
  for (const Known& one : kKnown)
    if (one.over == ratio.over && one.under == ratio.under) return one.name;
  const std::string over = std::to_string(ratio.over);
  return "[" + over + (ratio.under == 1 ? "" : "/" + std::to_string(ratio.under)) + "]s";
}

std::optional<Ratio> period_of(const Type* duration) {
  if (duration->template_types.size() < 2) return std::nullopt;
  return ratio_of(strip_typedefs(duration->template_types[1])->name);
}

// The system clock counts from 1970 in both libraries.
std::string calendar_of(const Value& count, const Ratio& ratio) {
  if (count.kind != Value::Kind::kInteger || 1'000'000'000 % ratio.under != 0) return {};
  std::int64_t wall = 0;
  const auto ticks = static_cast<std::int64_t>(count.bits);
  const auto factor = static_cast<std::int64_t>(ratio.over * (1'000'000'000 / ratio.under));
  if (ratio.over > 86'400 || __builtin_mul_overflow(ticks, factor, &wall)) return {};
  return rfc3339_utc(wall);
}

struct Part {
  std::uint64_t index = 0;
  std::uint64_t at = 0;
  const Type* type = nullptr;  // null: an empty class, which is a base
};

constexpr int kMostParts = 64;  // of a tuple; what has more is said to be cut

// The parts of a tuple are bases of a base, each with its number in its name.
void collect_parts(const Type* type, std::uint64_t at, int nesting, std::vector<Part>& parts) {
  if (nesting >= kMostParts) return;
  for (const Member& member : strip_typedefs(type)->members) {
    if (member.is_static || member.is_virtual_base || member.type == nullptr) continue;
    const Type* real = strip_typedefs(member.type);
    const std::string_view name = library_class(real->name);
    const std::uint64_t begin = at + member.byte_offset;
    if (name == "_Head_base" || name == "__tuple_leaf") {
      const char* digits = real->name.data() + real->name.find('<') + 1;
      Part part;
      std::from_chars(digits, real->name.data() + real->name.size(), part.index);
      const auto field = first_of(real, {{"_M_head_impl"}, {"__value_"}});
      part.at = begin + (field ? field->at : 0);
      part.type = field ? field->member->type : nullptr;
      parts.push_back(part);
    } else if (name == "_Tuple_impl" || name == "__tuple_impl") {
      collect_parts(real, begin, nesting + 1, parts);
    }
  }
}

}  // namespace

std::optional<Value> NodeReader::read_library(const Node& node, const Type* type, std::uint64_t at,
                                              int nesting) {
  const Type* real = strip_typedefs(type);
  const std::string_view name = library_class(real->name);
  if (name == "array") {
    const auto items = first_of(real, {{"_M_elems"}, {"__elems_"}});
    const bool empty = real->name.ends_with(" 0>") || real->name.ends_with(" 0UL>") ||
                       real->name.ends_with(" 0ul>");
    if (!items || (!empty && items->type->kind != symbols::TypeKind::kArray)) return std::nullopt;
    Value value = empty ? shell(type, Value::Kind::kArray)
                        : read_array(node, items->type, at + items->at, nesting + 1);
    value.type = real->name;
    if (value.kind == Value::Kind::kArray)
      value.count = empty ? 0 : items->type->element_count.value_or(0);
    return value;
  }
  if (name == "atomic" || name == "atomic_flag" || name == "__atomic_base") {
    const auto inner = first_of(
        real, {{"_M_i"}, {"_M_base", "_M_i"}, {"_M_fp"}, {"_M_b", "_M_p"}, {"__a_", "__a_value"}});
    if (!inner) return std::nullopt;
    Value value = read_at(node, inner->member->type, at + inner->at, nesting + 1);
    value.type = real->name;
    return value;
  }
  if (name == "pair") {
    const auto first = find_field(real, {"first"});
    const auto second = find_field(real, {"second"});
    if (!first || !second) return std::nullopt;
    Value value = shell(type, Value::Kind::kStruct);
    for (const Field& half : {*first, *second})
      value.members.emplace_back(half.member->name,
                                 read_at(node, half.member->type, at + half.at, nesting + 1));
    return value;
  }
  if (name == "tuple") return read_tuple(node, type, at, nesting);
  if (name == "duration" || name == "time_point") return read_duration(node, type, at, nesting);
  if (name == "function") return read_function(node, type, at, nesting);
  if (const auto message = capture::containers::recognise_message(real)) {
    Value value = read_pointer(node, message->type, at + message->at, nesting + 1);
    value.type = real->name;
    return value;
  }
  return std::nullopt;
}

std::optional<Value> NodeReader::read_tuple(const Node& node, const Type* type, std::uint64_t at,
                                            int nesting) {
  const Type* real = strip_typedefs(type);
  std::vector<Part> parts;
  for (const Member& member : real->members)
    if (member.name == "__base_" && member.type != nullptr)
      collect_parts(member.type, at + member.byte_offset, 0, parts);
  collect_parts(real, at, 0, parts);
  std::ranges::sort(parts, {}, &Part::index);
  const std::vector<const Type*>& types = real->template_types;
  if (parts.empty() && !real->name.ends_with("<>")) return std::nullopt;
  Value value = shell(type, Value::Kind::kTuple);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (parts[i].index != i || (parts[i].type == nullptr && i >= types.size())) return std::nullopt;
    value.items.push_back(parts[i].type == nullptr
                              ? shell(types[i], Value::Kind::kStruct)
                              : read_at(node, parts[i].type, parts[i].at, nesting + 1));
  }
  if (parts.size() < types.size()) {
    value.state = ValueState::kTruncated;
    value.why = std::to_string(parts.size()) + " of " + std::to_string(types.size()) + " shown";
  }
  return value;
}

std::optional<Value> NodeReader::read_duration(const Node& node, const Type* type, std::uint64_t at,
                                               int nesting) {
  const Type* real = strip_typedefs(type);
  const bool is_point = library_class(real->name) == "time_point";
  const auto since = is_point ? first_of(real, {{"__d"}, {"__d_"}}) : std::nullopt;
  if (is_point && !since) return std::nullopt;
  const Type* duration = since ? since->type : real;
  const auto count = first_of(duration, {{"__r"}, {"__rep_"}});
  const auto period = period_of(duration);
  if (!count || !period) return std::nullopt;
  const std::uint64_t begin = at + (since ? since->at : 0) + count->at;
  Value value = shell(type, is_point ? Value::Kind::kTimePoint : Value::Kind::kDuration);
  value.text = unit_name(*period);
  value.items.push_back(read_at(node, count->member->type, begin, nesting + 1));
  const bool of_system = real->name.find("system_clock") != real->name.npos;
  if (is_point && of_system) value.calendar = calendar_of(value.items[0], *period);
  return value;
}

// What is called is code that the library makes for the callable; a pointer to it, or
// to the object that has it, is null where there is none. That code's name, or the
// object's class, says what the callable is; where it is a pointer to a function, that
// is the first word of libstdc++'s buffer.
std::optional<Value> NodeReader::read_function(const Node& node, const Type* type, std::uint64_t at,
                                               int nesting) {
  const Type* real = strip_typedefs(type);
  const auto manager = find_field(real, {"_M_manager"});
  const auto called = first_of(real, {{"_M_invoker"}, {"__f_", "__f_"}});
  if (!called || called->type->byte_size != 8) return std::nullopt;
  for (const auto& part : {manager, called})
    if (part)
      if (const auto why = lost(node, at + part->at, 8)) return absent(type, *why);
  Value value = shell(type, Value::Kind::kFunction);
  const auto word = [&](const Field& field) {
    return little_endian(node_bytes(node).subspan(at + field.at, 8));
  };
  if (!manager || word(*manager) != 0) value.bits = word(*called);
  for (const auto& part : {manager, called})
    if (part) look(node, at + part->at, 8, value);
  if (value.bits == 0) return value;
  if (!manager) {
    value.target = read_pointer(node, called->member->type, at + called->at, nesting + 1).target;
    return value;
  }
  const auto functor = find_field(real, {"_M_functor"});
  if (functor && !lost(node, at + functor->at, 8)) {
    Value& held = value.target.emplace_back(shell(type, Value::Kind::kPointer));
    held.bits = word(*functor);
    held.is_to_code = true;
  }
  return value;
}

}  // namespace nohalt::values
