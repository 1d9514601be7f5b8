// Thread ids across pid namespaces: a thread in a container knows itself by
// another number than the tool does.
//
// Threading: one thread.
#pragma once

#include <sys/types.h>

#include <map>

namespace nohalt::target {

class ThreadNumbers {
 public:
  // `namespace_pid` is how the process's own namespace numbers it.
  ThreadNumbers(pid_t pid, pid_t namespace_pid) : pid_(pid), same_(pid == namespace_pid) {}

  // The thread that calls itself `own_tid`, as the tool numbers it; 0 where the
  // process has no such thread now.
  [[nodiscard]] pid_t to_tool(pid_t own_tid);

 private:
  [[nodiscard]] bool exists(pid_t tid) const;
  void refresh();

  pid_t pid_;
  bool same_;
  std::map<pid_t, pid_t> known_;  // by own number
};

}  // namespace nohalt::target
