// Texts are kept as they came until finish(), where it is known whether all of
// them are UTF-8.
#include "src/output/json.h"

#include <fmt/format.h>

#include <algorithm>

#include "src/base/escape.h"

namespace nohalt::output {

namespace {

bool is_clean(const Json& value) {
  if (value.is_string()) return is_utf8(value.get_ref<const std::string&>());
  return std::ranges::all_of(value, [](const Json& item) { return is_clean(item); });
}

Json escaped(const Json& value) {
  if (value.is_string()) return escape_untrusted(value.get_ref<const std::string&>()).text;
  Json items = Json::array();
  for (const Json& item : value) items.push_back(escaped(item));
  return items;
}

}  // namespace

Json json_number(std::uint64_t value) {
  constexpr std::uint64_t kLargestExact = (1ULL << 53) - 1;
  if (value > kLargestExact) return std::to_string(value);
  return value;
}

std::string hex_address(std::uint64_t value) { return fmt::format("0x{:x}", value); }

void ObjectBuilder::text(std::string_view key, std::string_view text) {
  if (!text.empty()) entries_.push_back({std::string{key}, std::string{text}, true});
}

void ObjectBuilder::texts(std::string_view key, const std::vector<std::string>& texts) {
  if (!texts.empty()) entries_.push_back({std::string{key}, texts, true});
}

void ObjectBuilder::number_if(std::string_view key, std::uint64_t value) {
  if (value != 0) number(key, value);
}

void ObjectBuilder::number(std::string_view key, std::uint64_t value) {
  set(key, json_number(value));
}

void ObjectBuilder::set(std::string_view key, Json value) {
  entries_.push_back({std::string{key}, std::move(value), false});
}

void ObjectBuilder::set_if(std::string_view key, Json value) {
  if (!value.empty()) set(key, std::move(value));
}

Json ObjectBuilder::finish() {
  const bool clean = std::ranges::all_of(
      entries_, [](const Entry& entry) { return !entry.is_text || is_clean(entry.value); });
  Json object = Json::object();
  for (Entry& entry : entries_)
    object[entry.key] = entry.is_text && !clean ? escaped(entry.value) : std::move(entry.value);
  if (!clean) object["encoding"] = "escaped";
  return object;
}

std::string json_line(const Json& object) {
  return escape_in_json(object.dump(-1, ' ', false, Json::error_handler_t::replace)) + "\n";
}

}  // namespace nohalt::output
