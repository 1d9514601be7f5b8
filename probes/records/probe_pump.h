// Keeps a run's probes going while the tool lives, and counts again what they
// hand in: rates, totals, lease and CPU windows. Call-driven: tick() at least
// each 100 ms (each 25 ms gives the full rate; without it the probes run dry and
// lapse by themselves).
//
// The rate. A grant is a limit on the probe's sequence numbers. Time is cut into
// windows of at least one second, each starting at the tick that finds the one
// before over. Within a window the limit starts at the number reached when it
// began and moves up, the first hundred at once (whoever asks for 10/s wants a
// burst of five whole) and more in tenths, to at most `hits_per_second` above it; what a
// window did not use is taken back with the next one's first grant. So at most
// `hits_per_second` hits are admitted in any window, whatever the threads do and
// however late a tick comes, and a tool that stops leaves at most one window's
// grant behind.
//
// The counters are in memory that the target can write. A number it could not
// have reached is counted as tampering and read as the nearest possible one; a
// record is accepted only once, below the highest limit ever granted, and with a
// time inside the lease, so that forging yields no more than was granted.
// Threading: one thread.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "probes/records/control_region.h"
#include "probes/records/ring_reader.h"
#include "probes/records/tsc_clock.h"

namespace nohalt::records {

inline constexpr std::uint64_t kNoTotal = std::numeric_limits<std::uint64_t>::max();

struct SitePumpLimits {
  std::uint64_t hits_per_second = 10;
  std::uint64_t bytes_per_second = kNoTotal;  // of record bodies; lowers the hits
  std::uint64_t total_hits = kNoTotal;        // records in all
};

struct PumpLimits {
  double lease_seconds = 600;
  double cpu_fraction = 0.01;  // of one CPU over each second, for each probe and for all together
  std::vector<SitePumpLimits> sites;  // as in the layout
};

struct PumpStats {
  std::uint64_t accepted = 0;
  std::uint64_t beyond_grant = 0;  // records with a number that was not granted, or over the total
  std::uint64_t repeated = 0;      // records with a number seen before, or far too old
  std::uint64_t outside_lease = 0;
  std::uint64_t tampered = 0;  // readings of counters that cannot be
};

// A copy of a probe's counters; costs in nanoseconds.
struct ProbeCounters {
  std::uint64_t hits = 0;
  std::uint64_t matched = 0;
  std::uint64_t suppressed = 0;
  std::uint64_t dropped = 0;
  std::uint64_t condition_unavailable = 0;
  // Of an admitted hit, outliers left out; where all were, as a single cold one is, the worst.
  double mean_cost_ns = 0;
  double worst_cost_ns = 0;
  runtime::ProbeState state = runtime::ProbeState::kOff;
};

class ProbePump {
 public:
  // The region and the clock must outlive the pump. Turns nothing on yet.
  ProbePump(const ControlRegion& region, const TscClock& clock, PumpLimits limits);
  ProbePump(const ProbePump&) = delete;
  ProbePump& operator=(const ProbePump&) = delete;
  ~ProbePump();  // stops

  // Starts the lease, grants the first hits and turns the probes on.
  void start(Ticks now);
  // Renews and refills; turns on again what had lapsed because the tool was late.
  void tick(Ticks now);
  // Turns every probe off and takes all grants back. Idempotent.
  void stop();

  // Whether a record is one that this run granted. Call once for each, in any order.
  [[nodiscard]] bool accept(const RingRecord& record, Ticks now);
  // The same of the end of a call, whose number is that of its beginning at `entry_site`.
  [[nodiscard]] bool accept_return(const RingRecord& record, std::size_t entry_site, Ticks now);

  [[nodiscard]] bool lease_over(Ticks now) const { return now >= lease_end_; }
  // All sites of the run have handed in their total, or were switched off for good.
  [[nodiscard]] bool finished() const;
  [[nodiscard]] ProbeCounters counters(std::size_t site) const;
  [[nodiscard]] const PumpStats& stats() const { return stats_; }

 private:
  // Which numbers were seen, of the last so many.
  class Numbers {
   public:
    // False: seen before, or far too old.
    [[nodiscard]] bool mark(std::uint64_t number);

   private:
    std::uint64_t below_ = 0;  // one above the highest number seen
    std::vector<bool> seen_;   // by number, modulo its size
  };
  struct Site {
    SitePumpLimits limits;
    std::uint64_t window_base = 0;
    Ticks window_start = 0;
    std::uint64_t reached = 0;        // last believable next_seq
    std::uint64_t highest_limit = 0;  // ever granted
    std::uint64_t accepted = 0;
    Numbers records;
    Numbers returns;  // of calls
  };

  void renew(Ticks now);
  void refill(std::size_t site, Ticks now);
  [[nodiscard]] std::uint64_t believable_next_seq(std::size_t site);
  [[nodiscard]] bool is_within_lease(const RingRecord& record, Ticks now);

  const ControlRegion& region_;
  const TscClock& clock_;
  PumpLimits limits_;
  std::vector<Site> sites_;
  Ticks second_ = 0;
  Ticks started_ = 0;
  Ticks lease_end_ = 0;
  Ticks deadline_ = 0;
  Ticks cpu_window_ = 0;
  bool running_ = false;
  PumpStats stats_;
};

}  // namespace nohalt::records
