// One process as the system sees it: who it is, whose it is, what it runs. All
// of it is read without touching the process; all but the identity may change.
//
// The pidfd notices the end of the process and keeps its pid from meaning
// another one. Facts are a moment's view, taken by open() and renewed by refresh().
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "probes/target/maps.h"
#include "src/base/process_identity.h"
#include "src/base/result.h"
#include "src/base/unique_fd.h"

namespace nohalt::target {

struct ThreadSeccomp {
  pid_t tid = 0;
  int mode = 0;  // 0 none, 1 strict, 2 filter

  friend bool operator==(const ThreadSeccomp&, const ThreadSeccomp&) = default;
};

struct ProcessFacts {
  char state = '?';  // letter of /proc/PID/stat, of the main thread
  pid_t parent = 0;
  pid_t tracer = 0;             // 0: not traced
  std::array<uid_t, 4> uids{};  // real, effective, saved, file system
  std::array<gid_t, 4> gids{};
  std::vector<ThreadSeccomp> seccomp;  // every thread
  std::string exe_path;  // as /proc/PID/exe says; empty for kernel threads or if not permitted
  std::uint64_t exe_device = 0;  // st_dev
  std::uint64_t exe_inode = 0;
  int elf_class = 0;          // 1: 32 bit, 2: 64 bit, 0: unknown
  pid_t namespace_pid = 0;    // as the process's own pid namespace numbers it
  bool shadow_stack = false;  // of any thread
  bool kernel_thread = false;
  RuntimeAddress heap_start;  // 0 where not permitted
};

class Process {
 public:
  // Reason "no-such-process".
  [[nodiscard]] static Result<Process> open(pid_t pid);

  [[nodiscard]] pid_t pid() const { return identity_.pid; }
  [[nodiscard]] const ProcessIdentity& identity() const { return identity_; }
  [[nodiscard]] int pidfd() const { return pidfd_.get(); }
  [[nodiscard]] const ProcessFacts& facts() const { return facts_; }

  // Still the same process and not ended; reason "target-gone".
  [[nodiscard]] Status check_alive() const;
  [[nodiscard]] Status refresh();

 private:
  UniqueFd pidfd_;
  ProcessIdentity identity_;
  ProcessFacts facts_;
};

// The start time in a /proc/PID/stat line (field 22), or 0.
[[nodiscard]] std::uint64_t parse_stat_field(std::string_view stat, int field);

// Whether the thread whose /proc/.../status this is has a shadow stack.
[[nodiscard]] bool names_shadow_stack(std::string_view status);

}  // namespace nohalt::target
