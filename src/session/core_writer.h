// The core file of one hit: made when the hit has been read, and there at once or not at
// all.
//
// Threading: one thread.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>

#include "probes/target/debugger_view.h"
#include "src/base/result.h"
#include "src/output/record.h"
#include "src/session/core_contents.h"

namespace nohalt::session {

class CoreWriter {
 public:
  // Before anything is armed: looks which files the process has loaded where, and whether
  // `path` may be written. Reason "output-unwritable".
  [[nodiscard]] static Result<CoreWriter> prepare(std::string path, pid_t pid, std::string exe);

  // Gives the size. Reason "output-unwritable"; "no-stack", where nothing could be told.
  [[nodiscard]] Result<std::size_t> write(const output::Hit& hit, const CoreContents& contents);
  [[nodiscard]] bool is_written() const { return is_written_; }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  CoreWriter() = default;

  std::string path_;
  pid_t pid_ = 0;
  std::string exe_;
  target::DebuggerView view_;
  bool is_written_ = false;
};

}  // namespace nohalt::session
