// Members of the wrong type are left out: a trail may have been written by anyone.
#include "policy/audit/entry.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "policy/audit/scan.h"

namespace nohalt::policy {

namespace {

using nlohmann::json;

// Of `object` the member `name`, where it is of the type.
void take(const json& object, const char* name, std::string& to) {
  if (const auto found = object.find(name); found != object.end() && found->is_string())
    to = found->get<std::string>();
}

// Numbers that JSON does not hold exactly are written as texts.
void take(const json& object, const char* name, std::optional<std::uint64_t>& to) {
  const auto found = object.find(name);
  if (found == object.end()) return;
  if (found->is_number_unsigned()) to = found->get<std::uint64_t>();
  if (!found->is_string()) return;
  const auto text = found->get<std::string>();
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc{} && end == text.data() + text.size()) to = number;
}

void take(const json& object, const char* name, std::vector<std::string>& to) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_array()) return;
  for (const json& one : *found)
    if (one.is_string()) to.push_back(one.get<std::string>());
}

const json& part(const json& line, const char* name) {
  static const json kNone = json::object();
  const auto found = line.find(name);
  return found != line.end() && found->is_object() ? *found : kNone;
}

bool is_last_part(std::string_view path, std::string_view end) {
  return path == end || (path.size() > end.size() && path.ends_with(end) &&
                         path[path.size() - end.size() - 1] == '/');
}

bool is_user(const AuditEntry& entry, const std::string& user) {
  return entry.user == user || (entry.uid && std::to_string(*entry.uid) == user);
}

}  // namespace

std::optional<AuditEntry> parse_entry(std::string_view line) {
  const auto fields = scan_line(line);
  const json parsed = json::parse(line, nullptr, false);
  if (!fields || !parsed.is_object()) return std::nullopt;
  AuditEntry entry;
  entry.seq = fields->seq;
  take(parsed, "time", entry.time);
  take(parsed, "event", entry.event);
  take(parsed, "run", entry.run);
  const json& who = part(parsed, "who");
  take(who, "uid", entry.uid);
  take(who, "user", entry.user);
  take(who, "loginuid", entry.login_uid);
  take(who, "tty", entry.tty);
  take(who, "host", entry.host);
  const json& what = part(parsed, "what");
  take(what, "pid", entry.pid);
  take(what, "start_time", entry.start_time);
  take(what, "exe", entry.exe);
  take(what, "build_id", entry.build_id);
  take(what, "kinds", entry.kinds);
  take(what, "locations", entry.locations);
  take(what, "places", entry.places);
  take(what, "messages", entry.messages);
  take(what, "conditions", entry.conditions);
  take(what, "captures", entry.captures);
  take(what, "read", entry.read);
  const json& under = part(parsed, "under");
  take(under, "rule", entry.rule);
  take(under, "policy_hash", entry.policy_hash);
  take(under, "previous_policy_hash", entry.previous_policy_hash);
  const json& why = part(parsed, "why");
  take(why, "reason", entry.reason);
  take(why, "ticket", entry.ticket);
  take(why, "denial", entry.denial);
  const json& left = part(parsed, "left");
  take(left, "records", entry.records);
  take(left, "bytes", entry.bytes);
  take(left, "digest", entry.digest);
  take(left, "left_behind", entry.left_behind);
  return entry;
}

bool is_same_place(std::string_view one, std::string_view other) {
  const std::size_t one_colon = one.rfind(':');
  const std::size_t other_colon = other.rfind(':');
  if (one_colon == one.npos || other_colon == other.npos) return one == other;
  if (one.substr(one_colon) != other.substr(other_colon)) return false;
  const std::string_view one_path = one.substr(0, one_colon);
  const std::string_view other_path = other.substr(0, other_colon);
  return is_last_part(one_path, other_path) || is_last_part(other_path, one_path);
}

bool AuditFilter::matches(const AuditEntry& entry) const {
  const auto is_here = [&](const std::string& other) { return is_same_place(place, other); };
  return (user.empty() || is_user(entry, user)) && (!pid || entry.pid == pid) &&
         (exe.empty() || is_last_part(entry.exe, exe)) && (since.empty() || entry.time >= since) &&
         (until.empty() || entry.time < until) && (ticket.empty() || entry.ticket == ticket) &&
         (run.empty() || entry.run == run) && (event.empty() || entry.event == event) &&
         (place.empty() || std::ranges::any_of(entry.places, is_here) ||
          std::ranges::any_of(entry.locations, is_here));
}

}  // namespace nohalt::policy
