// Who asks: the person behind this run of the tool, as the kernel knows them.
// Goes into every audit record and decides what the built-in policy allows.
//
// Threading: plain values; Caller::current reads /proc and the user database.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace nohalt::policy {

struct Caller {
  uid_t uid = 0;  // real
  uid_t effective_uid = 0;
  std::string user;                          // name of uid; empty where the database has none
  std::optional<uid_t> login_uid;            // who logged in, before any sudo; absent: never set
  std::optional<std::uint32_t> session;      // the kernel's audit session; absent: never set
  std::optional<std::vector<gid_t>> groups;  // the process's own, all of them; absent: unknown
  std::string tty;                           // of any of the standard streams; empty: none
  std::string host;

  [[nodiscard]] bool is_root() const { return uid == 0 && effective_uid == 0; }

  [[nodiscard]] static Caller current();
};

// Who logged in before a process, whatever it became; absent: nobody, or it is gone.
[[nodiscard]] std::optional<uid_t> login_uid_of(pid_t pid);

// The name of a user; empty where the database has none.
[[nodiscard]] std::string user_name(uid_t uid);

}  // namespace nohalt::policy
