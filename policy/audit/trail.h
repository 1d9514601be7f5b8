// The audit trail: a file to which every run appends what it asked for and did,
// each line carrying the SHA-256 of the one before, so that a line changed,
// taken out or put in later shows. It is no evidence against whoever may write
// the file: the chain can be built anew by its owner.
//
// An append is durable (fsync) when it returns, which is why it comes before
// anything is armed. A power cut can leave the last line half-written; the next
// append keeps those bytes, names their hash in its field `torn`, and goes on
// from the last whole line.
//
// Errors are of kind kDenied, reason audit-unwritable: no record, no probe.
// Threading and processes: appends of any number of processes are serialised
// by a lock on the file; a Trail is used from one thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "policy/access/caller.h"
#include "policy/audit/event.h"
#include "src/base/result.h"

namespace nohalt::policy {

class Trail {
 public:
  // The file that --audit or NOHALT_AUDIT names, or else the caller's own:
  // /var/log/nohalt/audit.jsonl for root, $XDG_STATE_HOME/nohalt/audit.jsonl
  // (or ~/.local/state/...) for others. The usual folder is made (0700) where
  // it is missing; a named one must exist. Shows that the file can be written.
  [[nodiscard]] static Result<Trail> open(const Caller& caller, const std::string& named);

  // Whether open would succeed, without making anything; gives the path.
  [[nodiscard]] static Result<std::string> check(const Caller& caller, const std::string& named);

  [[nodiscard]] Status append(const Event& event) const;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  explicit Trail(std::string path) : path_(std::move(path)) {}

  std::string path_;
};

// The hash that stands for "nothing before".
inline constexpr std::string_view kNoPrevious =
    "0000000000000000000000000000000000000000000000000000000000000000";

// How a trail's end is to be continued.
struct TrailEnd {
  std::string previous{kNoPrevious};  // hash of the last whole line
  std::string torn;                   // hash of the bytes after it, where there are any
  bool needs_newline = false;         // the last byte is not a newline
  bool found_whole_line = false;
};

// From the last bytes of a file (all of it, or at least its last line).
[[nodiscard]] TrailEnd read_trail_end(std::string_view tail);

struct ChainReport {
  std::uint64_t whole_lines = 0;
  std::uint64_t torn_lines = 0;     // half-written, and vouched for by the line after
  std::vector<std::string> faults;  // "line 7: ..."; empty: the chain is whole
  [[nodiscard]] bool is_whole() const { return faults.empty(); }
};

// Over the whole content of a trail.
[[nodiscard]] ChainReport verify_chain(std::string_view content);

}  // namespace nohalt::policy
