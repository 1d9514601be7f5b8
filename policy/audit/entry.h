// A record as people look for it and programs take it: from its line to fields, and
// which of them someone asks for.
//
// Threading: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nohalt::policy {

// Absent numbers are nullopt, absent texts empty. Texts are as in the line: a trail
// that someone wrote by hand may hold anything, so escape them before they are shown.
struct AuditEntry {
  std::uint64_t seq = 0;
  std::string time;
  std::string event;
  std::string run;

  std::optional<std::uint64_t> uid;
  std::string user;
  std::optional<std::uint64_t> login_uid;
  std::string tty;
  std::string host;

  std::optional<std::uint64_t> pid;
  std::optional<std::uint64_t> start_time;
  std::string exe;
  std::string build_id;
  std::vector<std::string> kinds;
  std::vector<std::string> locations;
  std::vector<std::string> places;
  std::vector<std::string> messages;
  std::vector<std::string> conditions;
  std::vector<std::string> captures;
  std::string read;

  std::string rule;
  std::string policy_hash;
  std::string previous_policy_hash;

  std::string reason;
  std::string ticket;
  std::string denial;

  std::optional<std::uint64_t> records;
  std::optional<std::uint64_t> bytes;
  std::string digest;
  std::vector<std::string> left_behind;
};

// Nothing: the line is no record.
[[nodiscard]] std::optional<AuditEntry> parse_entry(std::string_view line);

// Empty means any. All that is given must match.
struct AuditFilter {
  std::string user;  // name or uid
  std::optional<std::uint64_t> pid;
  std::string exe;    // the whole path, or its last part
  std::string since;  // RFC 3339 in UTC, as rfc3339_utc gives it
  std::string until;
  std::string ticket;
  std::string run;
  std::string event;
  std::string place;  // FILE:LINE, or whatever was asked for

  [[nodiscard]] bool matches(const AuditEntry& entry) const;
};

// Whether both may be the same FILE:LINE: the line the same, and one path the end of
// the other.
[[nodiscard]] bool is_same_place(std::string_view one, std::string_view other);

}  // namespace nohalt::policy
