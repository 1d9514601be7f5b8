// Checking a trail. Three things are told apart:
//
//   the chain    every record is there, in its order, as it was written
//   signatures   up to where the chain is signed, and by which key
//   a checkpoint that was kept off the host: up to where the trail is the same
//
// Only the last one holds against whoever may write the trail and use its key, and
// it holds up to that checkpoint. A chain says nothing of what was cut off its end.
//
// The algorithm is one pass with the state of one line: each line's SHA-256 is the
// next one's `prev`, its number is one more, and `chain` is the value that
// chain_after gives. After a fault the pass goes on from the line that is there, so
// that one change makes one fault, or one at each place that it left.
// Threading: a verifier is used from one thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/audit/digest.h"
#include "policy/audit/line.h"
#include "policy/audit/scan.h"
#include "policy/audit/trail_reader.h"
#include "src/base/result.h"

namespace nohalt::policy {

// A line of a checkpoint, as journald or syslog kept it.
struct KeptCheckpoint {
  std::uint64_t seq = 0;
  std::string hash;  // of its line
  std::string key;
  std::uint64_t line = 0;   // in the file that it was kept in
  bool is_genuine = false;  // its signature is by its key
};

// From a file in which each checkpoint is on a line of its own; what a log puts
// before it is passed over, as are other lines.
[[nodiscard]] std::vector<KeptCheckpoint> read_checkpoints(std::string_view content);

// A run of checkpoints by one key.
struct SignedSpan {
  std::string key;
  std::uint64_t first = 0;  // numbers of its checkpoints
  std::uint64_t last = 0;
};

struct ChainReport {
  std::uint64_t whole_lines = 0;
  std::uint64_t torn_lines = 0;  // half-written, and vouched for by the line after
  std::uint64_t skipped = 0;     // known by their hash alone
  std::uint64_t first_seq = 0;
  std::uint64_t last_seq = 0;
  bool goes_on = false;  // the first line goes on from a file that is not here

  std::vector<std::string> faults;  // of the chain, the first hundred; empty: it is whole
  std::uint64_t fault_count = 0;

  std::vector<SignedSpan> signed_by;          // empty: not signed
  std::vector<std::string> signature_faults;  // likewise

  std::uint64_t agreed_up_to = 0;              // 0: with no checkpoint
  std::vector<std::string> checkpoint_faults;  // where one says otherwise
  std::uint64_t checkpoints_before = 0;        // of records older than the first one here

  [[nodiscard]] bool is_whole() const { return faults.empty(); }
  [[nodiscard]] std::uint64_t signed_up_to() const {
    return signed_by.empty() ? 0 : signed_by.back().last;
  }
};

class ChainVerifier {
 public:
  explicit ChainVerifier(const std::vector<KeptCheckpoint>& kept = {});

  // Each line in order. `where` names its place in messages, such as "line 7".
  void take(std::string_view bytes, std::string_view where, bool is_continued = false);
  // In the place of a line: its number and hash, which the next one vouches for.
  void take_hash(std::uint64_t seq, std::string_view hash);
  // The lines to come are a part of a trail: they may begin anywhere, and what was
  // half-written between them is not there.
  void allow_part() { is_part_ = true; }

  [[nodiscard]] ChainReport finish();

 private:
  struct Before {  // the line before, and what it leads to
    std::uint64_t seq = 0;
    std::string hash{kNoPrevious};
    std::string chain{kNoPrevious};
  };

  void fault(std::string_view where, const std::string& what);
  void settle_suspect(bool follows);
  void take_torn(std::string_view bytes, std::string_view where);
  void check_torn(std::string_view torn, std::string_view where);
  void check_first(const LineFields& line, std::string_view where);
  std::uint64_t check_order(const LineFields& line, std::string_view where);
  void check_signature(const LineFields& line, std::string_view bytes, std::string_view where);
  void compare(std::uint64_t seq, std::string_view hash);
  [[nodiscard]] bool sound_so_far() const { return report_.fault_count == 0 && !suspect_; }

  ChainReport report_;
  Before before_;
  bool is_part_ = false;
  // A record whose hash is not the one that the record after it carries: which of
  // the two was changed is told by the record after both.
  struct Suspect {
    std::uint64_t seq = 0;
    std::string where;  // of the one after
  };
  std::optional<Suspect> suspect_;
  std::optional<Sha256> torn_;
  std::uint64_t torn_count_ = 0;
  std::string torn_where_;
  bool inside_line_ = false;
  std::multimap<std::uint64_t, KeptCheckpoint> kept_;
};

// All of a trail; its messages name files and lines.
[[nodiscard]] Result<ChainReport> verify_trail(const TrailReader& reader,
                                               const std::vector<KeptCheckpoint>& kept);

// All of a content at once.
[[nodiscard]] ChainReport verify_chain(std::string_view content);

}  // namespace nohalt::policy
