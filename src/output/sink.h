// Where data goes: stdout or the file of -o. Never makes the run wait for its
// reader: lines are queued and written as the reader takes them; what does not
// fit into the queue is dropped and counted.
//
// SIGPIPE must be ignored (main does). Threading: one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "src/base/result.h"
#include "src/base/unique_fd.h"

namespace nohalt::output {

enum class SinkState { kOpen, kClosed };  // closed: the reader has gone

class Sink {
 public:
  // An empty path means stdout. A file is made, or emptied, with mode 0600; it
  // must be a regular file of the caller's with one name, not a symbolic link; behind
  // sudo, of who logged in, who must be able to make or write it themselves.
  // Reason "output-unwritable".
  [[nodiscard]] static Result<Sink> open(const std::string& path);

  // Queues whole lines, newline included. False: there was no room, and the
  // line counts as lost.
  bool put(std::string_view lines);

  // Writes what the reader takes at once, without waiting. Notices a reader
  // that has gone even if there is nothing to write. Errors (a full disk) are
  // reported once; what was queued is then lost.
  [[nodiscard]] Result<SinkState> pump();

  // Writes until the queue is empty, the reader is gone, or `patience` is over.
  [[nodiscard]] Result<SinkState> drain(std::chrono::milliseconds patience);

  [[nodiscard]] std::uint64_t lost() const { return lost_; }
  [[nodiscard]] std::uint64_t bytes_written() const { return bytes_written_; }
  [[nodiscard]] bool is_terminal() const { return is_terminal_; }

 private:
  Sink() = default;
  [[nodiscard]] int fd() const;
  void write_some(int timeout_ms);
  [[nodiscard]] Result<SinkState> state();

  UniqueFd file_;  // not valid: stdout
  bool is_terminal_ = false;
  bool is_file_ = false;
  bool closed_ = false;
  std::string failure_;  // not reported yet
  std::string queue_;
  std::size_t begin_ = 0;  // of what is not yet written
  std::uint64_t lost_ = 0;
  std::uint64_t bytes_written_ = 0;
};

// What stays queued at most; beyond it lines are lost.
inline constexpr std::size_t kLargestQueue = 8UL << 20;

}  // namespace nohalt::output
