// What is asked, as policy sees it: by whom, of which process, to do what, seeing
// which sources. Everything that may be unknown says so, because an unknown fact
// matches no allow and every deny.
//
// Threading: plain values.
#pragma once

#include <sys/types.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "policy/access/right.h"
#include "policy/limits/lowering.h"

namespace nohalt::policy {

// The numbers behind names, as the host knows them.
class Directory {
 public:
  struct Answer {
    bool is_known = true;               // false: nobody could tell
    std::optional<std::uint32_t> id{};  // absent: there is no such name
  };
  virtual ~Directory() = default;
  [[nodiscard]] virtual Answer user(const std::string& name) const = 0;
  [[nodiscard]] virtual Answer group(const std::string& name) const = 0;
};

// Who asks. Behind sudo, root is also the person who logged in.
struct Asker {
  uid_t uid = 0;
  std::optional<uid_t> login_uid;
  std::optional<std::vector<gid_t>> groups;  // of both; absent: unknown
};

// The process. Absent: unknown; an empty container: it is in none.
struct ProcessFacts {
  std::optional<std::string> exe;
  std::optional<bool> is_own_mount_namespace;  // the tool's
  std::array<uid_t, 4> uids{};                 // real, effective, saved, file system
  std::optional<std::string> build_id;
  std::optional<std::vector<std::string>> env;  // labels of this host
  std::optional<std::string> cgroup;
  std::optional<std::string> container;
};

// Something of the program that a probe looks at: the place that is probed, or
// the declaration of what is read there.
struct SourceUse {
  enum class Kind { kCode, kVariable, kType };
  Kind kind = Kind::kCode;
  std::string what;      // for people: "orders.c:142", "global limits", "type Token"
  std::string path;      // of the source file, as debug information has it; empty: unknown
  std::string function;  // of code, qualified; empty: unknown
};

// What other runs have been granted, of which a Totals is to be kept.
struct Usage {
  std::uint32_t probes = 0;
  std::uint64_t hits_per_second = 0;
  std::uint64_t bytes_per_second = 0;
  double cpu_share = 0;
  bool has_rates = true;  // false: only the probes could be counted
};

// kPerson: only who, for what concerns no process; `where` stops nothing. kAdmit: only
// who and which process. Sources, build id, limits and requirements are not known yet
// and stop nothing.
enum class Stage { kPerson, kAdmit, kDecide };

struct Question {
  Stage stage = Stage::kDecide;
  Asker asker;
  ProcessFacts process;
  std::vector<Right> rights;
  std::vector<SourceUse> uses;
  std::string reason;
  std::string ticket;
  std::uint32_t approvals = 0;  // that this very request has
  bool breaks_glass = false;
  std::chrono::sys_seconds now;
  std::vector<AskedLimits> probes;  // one for each probe
  std::optional<Usage> on_target;   // absent: unknown
  std::optional<Usage> of_user;
  std::optional<Usage> on_host;
};

}  // namespace nohalt::policy
