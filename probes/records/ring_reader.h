// Takes finished records out of the ring. The ring is hostile input: each record
// is copied once into private memory and only the copy is looked at; sizes and
// places come from the layout that the tool remembers.
// Threading: one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "probes/records/control_region.h"

namespace nohalt::records {

struct RingRecord {
  std::uint32_t site = 0;
  std::uint32_t tid = 0;  // as the target's own pid namespace numbers it; 0: unknown
  std::uint64_t seq = 0;
  std::uint64_t tsc = 0;
  std::uint64_t suppressed = 0;  // cumulative, as the target says
  std::uint64_t dropped = 0;
  std::vector<std::byte> body;  // body_size bytes of the layout
};

struct RingStats {
  std::uint64_t records = 0;
  std::uint64_t malformed =
      0;  // ready, but with another site, size or generation, or no state at all
  std::uint64_t reclaimed = 0;  // busy, and the owner gone
  std::uint64_t busy = 0;       // now
};

// Whether a thread of the target still lives.
using ThreadAlive = std::function<bool(std::uint32_t tid)>;
using RecordSink = std::function<void(RingRecord)>;

class RingReader {
 public:
  // The region must outlive the reader.
  explicit RingReader(const ControlRegion& region);

  // Hands out what is ready, each site's records in order of seq, and frees the
  // slots. A slot that stays busy from one poll to the next is freed once its
  // owner is known and gone.
  void poll(const ThreadAlive& alive, const RecordSink& sink);

  [[nodiscard]] const RingStats& stats() const { return stats_; }

 private:
  void poll_site(std::size_t site, const ThreadAlive& alive, const RecordSink& sink);
  void consider_busy(std::size_t site, std::size_t index, std::uint64_t word,
                     const ThreadAlive& alive);

  const ControlRegion& region_;
  std::vector<std::byte> copy_;
  std::vector<std::vector<std::uint64_t>> busy_before_;  // first word of each slot
  RingStats stats_;
};

}  // namespace nohalt::records
