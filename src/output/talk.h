// What nohalt says to the person, on stderr: errors, notices, the receipt, and
// on a terminal one live line that is drawn over.
//
// Threading: one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "src/base/result.h"

namespace nohalt::output {

// `nohalt: <message>` and, indented below, the hint. Both may have several
// lines (a caret under an expression); each is made safe to show.
[[nodiscard]] std::string error_text(const Error& error, bool colour);

// Whether text on stdout may be coloured: a terminal, and NO_COLOR not set.
[[nodiscard]] bool stdout_takes_colour();

struct LiveStatus {
  std::uint64_t hits = 0;
  std::uint64_t written = 0;
  std::uint64_t suppressed = 0;
  std::uint64_t dropped = 0;
  std::chrono::milliseconds left{0};  // of the lease
};
[[nodiscard]] std::string status_text(const LiveStatus& status);

class Talk {
 public:
  // Colour and the live line only where stderr is a terminal (and NO_COLOR is
  // not set, for the colour).
  Talk();

  void error(const Error& error);
  void say(std::string_view lines);  // already safe; ends in a newline
  // Draws the live line, at most five times a second; does nothing in a pipe.
  void status(const LiveStatus& status);
  // Takes the live line away, so that something else can be written.
  void clear_status();

  [[nodiscard]] bool is_terminal() const { return is_terminal_; }
  [[nodiscard]] bool colour() const { return colour_; }

 private:
  bool is_terminal_ = false;
  bool colour_ = false;
  bool status_shown_ = false;
  std::chrono::steady_clock::time_point last_status_{};
};

}  // namespace nohalt::output
