// The rules of one policy, as values: what a file says once it was read and
// proven, or the built-in policy. verdict.h weighs them.
//
// Lists: an absent one says nothing; one that is there is never empty.
// Threading: plain values.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "policy/access/right.h"
#include "policy/limits/limits.h"

namespace nohalt::policy {

// Where in its file something stands; line 0: it is built in.
struct Position {
  int line = 0;
  int column = 0;
};

// A user or group: a name, or a number.
struct Principal {
  std::string name;  // empty: `id` counts
  std::uint32_t id = 0;
};

struct Members {
  std::vector<Principal> users;
  std::vector<Principal> groups;
  Position at;
};

// Which processes. Every condition that is there must hold.
struct Where {
  std::vector<std::string> exe;  // globs over the whole path
  std::vector<Principal> run_as;
  std::vector<std::string> build_id;  // lower-case hex
  std::vector<std::string> env;
  std::vector<std::string> cgroup;     // globs
  std::vector<std::string> container;  // globs over the id
  Position at;
};

// Globs over what something is called.
struct AllowDeny {
  std::vector<std::string> allow;
  std::vector<std::string> deny;
  Position at;
};

// Most that may be asked for, at once, in all runs on one target, by one user, on the
// host. Absent: no limit of this kind.
struct Totals {
  std::optional<std::uint32_t> probes;
  std::optional<std::uint64_t> hits_per_second;
  std::optional<std::uint64_t> bytes_per_second;
  std::optional<double> cpu_share;

  [[nodiscard]] bool is_limited() const {
    return probes || hits_per_second || bytes_per_second || cpu_share;
  }
};

// Of one run and each of its probes. Absent: the built-in maximum.
struct RoleLimits {
  std::optional<std::uint32_t> probes;
  std::optional<std::uint64_t> hits_per_second;
  std::optional<std::uint64_t> bytes_per_second;
  std::optional<std::chrono::milliseconds> lease;
  std::optional<double> cpu_share;
  std::optional<std::chrono::microseconds> hold;
  std::optional<std::uint64_t> snapshot_bytes;  // of one record
  std::optional<std::uint64_t> resident_bytes;  // of a target, for a deep snapshot
  Totals target;
  Totals user;
  Totals host;
  bool refuse_excess = false;  // else what is above is lowered
  Position at;
};

struct Requirements {
  bool reason = false;
  std::string ticket;  // RE2, the whole ticket; empty: none is asked for
  std::uint32_t approvals = 0;
  Position at;
};

struct Role {
  std::string name;
  Position at;
  Members members;
  std::vector<Right> may;
  Position may_at;
  Where where;
  std::optional<AllowDeny> sources;
  std::optional<AllowDeny> functions;
  RoleLimits limits;
  Requirements require;
  std::optional<std::chrono::sys_seconds> until;
  Position until_at;
  bool break_glass = false;
};

// Applies where each of its conditions holds or is not known to fail. Absent
// conditions hold; at least one is there.
struct DenyRule {
  std::string name;
  Position at;
  std::optional<Members> members;
  std::vector<Right> may;  // any of these is asked for; empty: whatever is asked
  std::optional<Where> where;
  std::vector<std::string> sources;
  std::vector<std::string> functions;
};

enum class RedactMode { kTargeted, kStrict };
enum class RedactAction { kDrop, kMask, kHash };

// What hides a value before it is read: by its name (words separated by spaces, in lower
// case), its type or the source that declares it (globs).
struct ReadRule {
  std::string pattern;
  std::optional<RedactAction> action;  // never kHash: what is not read has no hash
  Position at;
};

// A way that secrets look. A built-in one has no pattern.
struct ValueRule {
  std::string name;
  std::string pattern;  // RE2
  std::optional<RedactAction> action;
  Position at;
};

// Lists add to the built-in ones.
struct RedactRules {
  RedactMode mode = RedactMode::kTargeted;
  std::optional<RedactAction> action;  // of every rule that has none of its own
  std::vector<ReadRule> names;
  std::vector<ReadRule> types;
  std::vector<ReadRule> sources;
  std::vector<ValueRule> values;
  Position at;
  Position mode_at;
};

struct Rules {
  std::string file;  // as messages call it; empty: built in
  std::string source_root;
  std::string audit_file;  // the trail that is always written; empty: the usual one
  std::vector<Role> roles;
  std::vector<DenyRule> deny;
  RedactRules redact;
};

}  // namespace nohalt::policy
