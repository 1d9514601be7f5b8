// A Grant is the leave to arm exactly one set of probes in exactly one process.
// Only policy can mint one (the constructor is private to the Authority), so an
// engine that takes a Grant cannot be reached around the policy. The engine
// compares every field again with the target held, before its first write.
//
// Threading: immutable once minted.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "policy/limits/limits.h"
#include "src/base/process_identity.h"

namespace nohalt::policy {

// The facts about a process that a Grant binds. `uids` and `gids` are real,
// effective, saved and file system, as /proc/PID/status lists them.
struct TargetFacts {
  ProcessIdentity identity;
  std::array<uid_t, 4> uids{};
  std::array<gid_t, 4> gids{};
  std::uint64_t exe_device = 0;
  std::uint64_t exe_inode = 0;
  std::string exe_path;
  std::string build_id;
  // Where it lives. Weighed, not bound: a process may be moved.
  std::optional<bool> is_own_mount_namespace{};  // the tool's; absent: unknown
  std::optional<std::string> cgroup{};           // below the mount of cgroup 2; absent: unknown

  friend bool operator==(const TargetFacts&, const TargetFacts&) = default;
};

class Grant {
 public:
  [[nodiscard]] const TargetFacts& target() const { return target_; }
  // SHA-256 over the programs and sites, lower-case hex.
  [[nodiscard]] const std::string& program_hash() const { return program_hash_; }
  [[nodiscard]] const Limits& limits() const { return limits_; }
  // The rule that allowed it, as "rule (file:line)".
  [[nodiscard]] const std::string& rule() const { return rule_; }

 private:
  friend class Authority;  // policy/access/authority.h
  Grant(TargetFacts target, std::string program_hash, Limits limits, std::string rule)
      : target_(std::move(target)),
        program_hash_(std::move(program_hash)),
        limits_(limits),
        rule_(std::move(rule)) {}

  TargetFacts target_;
  std::string program_hash_;
  Limits limits_;
  std::string rule_;
};

}  // namespace nohalt::policy
