// How a trail is to be continued, told from its last bytes.
// Threading: pure function.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "policy/audit/line.h"

namespace nohalt::policy {

struct TrailEnd {
  // Of the last whole line; where there is none, of a trail that begins.
  std::uint64_t seq = 0;
  std::string previous{kNoPrevious};  // its hash
  std::string chain{kNoPrevious};     // what it leads to
  bool is_checkpoint = true;          // nothing stands behind the last signature
  std::string boot_id;
  std::uint64_t boot_ms = 0;

  std::string policy_hash;     // of the last line that names one
  std::string torn;            // hash of the bytes after the last whole line, where there are any
  bool needs_newline = false;  // the last byte is not a newline
  bool found_whole_line = false;
};

// From the last bytes of a file (all of it, or at least its last line).
[[nodiscard]] TrailEnd read_trail_end(std::string_view tail);

// The end after one more whole line.
[[nodiscard]] TrailEnd end_after(const TrailEnd& end, std::string_view line);

}  // namespace nohalt::policy
