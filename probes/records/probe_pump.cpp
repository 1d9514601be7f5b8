#include "probes/records/probe_pump.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <utility>

namespace nohalt::records {

namespace {

using runtime::ProbeControl;
using runtime::ProbeState;

constexpr double kHeartbeatSeconds = 1.5;
constexpr double kGrantAhead = 0.1;            // of a window
constexpr std::uint64_t kSeenNumbers = 65536;  // a record may be this late, in numbers
constexpr double kOutlierSeconds = 1e-3;       // no hit is charged more

std::uint64_t read(const volatile std::uint64_t& word) {
  return __atomic_load_n(&word, __ATOMIC_RELAXED);
}

void write(volatile std::uint64_t& word, std::uint64_t value) {
  __atomic_store_n(&word, value, __ATOMIC_RELAXED);
}

void set_state(ProbeControl& probe, ProbeState state) {
  __atomic_store_n(&probe.state, static_cast<std::uint32_t>(state), __ATOMIC_RELEASE);
}

ProbeState state_of(const ProbeControl& probe) {
  return static_cast<ProbeState>(__atomic_load_n(&probe.state, __ATOMIC_RELAXED));
}

std::uint64_t saturating_add(std::uint64_t a, std::uint64_t b) {
  return a > ~std::uint64_t{0} - b ? ~std::uint64_t{0} : a + b;
}

// steady_clock is CLOCK_MONOTONIC.
std::uint64_t monotonic_ns_in(double seconds) {
  constexpr double kLongest = 9e9;  // what nanoseconds in 64 bits hold
  const std::chrono::duration<double> ahead{std::min(seconds, kLongest)};
  const auto end = std::chrono::steady_clock::now().time_since_epoch() +
                   std::chrono::duration_cast<std::chrono::nanoseconds>(ahead);
  return static_cast<std::uint64_t>(std::chrono::nanoseconds(end).count());
}

}  // namespace

ProbePump::ProbePump(const ControlRegion& region, const TscClock& clock, PumpLimits limits)
    : region_(region), clock_(clock), limits_(std::move(limits)), second_(clock.ticks(1)) {
  const auto& sites = region_.layout().sites;
  limits_.sites.resize(sites.size());
  for (std::size_t i = 0; i < sites.size(); ++i) {
    SitePumpLimits site = limits_.sites[i];
    const std::uint64_t body = std::max(sites[i].body_size, 1U);
    if (site.bytes_per_second != kNoTotal)
      site.hits_per_second =
          std::min(site.hits_per_second, std::max<std::uint64_t>(site.bytes_per_second / body, 1));
    sites_.emplace_back();
    sites_.back().limits = site;
  }
}

ProbePump::~ProbePump() { stop(); }

void ProbePump::start(Ticks now) {
  started_ = now;
  lease_end_ = saturating_add(now, clock_.ticks(limits_.lease_seconds));
  cpu_window_ = now;
  running_ = true;
  const auto budget =
      static_cast<std::uint64_t>(static_cast<double>(second_) * limits_.cpu_fraction);
  region_.control().cpu_ticks_budget = budget;
  region_.control().lease_end_ns = monotonic_ns_in(limits_.lease_seconds);
  renew(now);
  for (std::size_t i = 0; i < sites_.size(); ++i) {
    ProbeControl& probe = region_.probe(i);
    probe.cpu_ticks_budget = budget;
    probe.cpu_outlier_ticks = clock_.ticks(kOutlierSeconds);
    sites_[i].window_start = now;
    refill(i, now);
    set_state(probe, ProbeState::kOn);
  }
}

void ProbePump::tick(Ticks now) {
  if (!running_) return;
  renew(now);
  if (now - cpu_window_ >= second_) {
    cpu_window_ = now;
    write(region_.control().cpu_ticks_used, 0);
    for (std::size_t i = 0; i < sites_.size(); ++i) write(region_.probe(i).cpu_ticks_used, 0);
  }
  for (std::size_t i = 0; i < sites_.size(); ++i) {
    refill(i, now);
    ProbeControl& probe = region_.probe(i);
    if (lease_over(now) || state_of(probe) != ProbeState::kLapsed) continue;
    // Calls went in unseen meanwhile, and must not be taken for those that were noted.
    region_.forget_calls();
    set_state(probe, ProbeState::kOn);
  }
}

void ProbePump::stop() {
  if (!std::exchange(running_, false)) return;
  // Over as of now, and not for ever: another run takes one that lapsed long ago
  // for abandoned.
  write(region_.control().lease_deadline_tsc, std::min(deadline_, TscClock::now()));
  for (std::size_t i = 0; i < sites_.size(); ++i) {
    write(region_.probe(i).seq_limit, 0);
    // What switched a probe off stays to be read.
    if (state_of(region_.probe(i)) != ProbeState::kSwitchedOffCpu)
      set_state(region_.probe(i), ProbeState::kOff);
  }
}

void ProbePump::renew(Ticks now) {
  deadline_ = std::max(deadline_,
                       std::min(saturating_add(now, clock_.ticks(kHeartbeatSeconds)), lease_end_));
  write(region_.control().lease_deadline_tsc, deadline_);
}

std::uint64_t ProbePump::believable_next_seq(std::size_t index) {
  Site& site = sites_[index];
  const std::uint64_t next = read(region_.probe(index).next_seq);
  if (next < site.reached || next > site.highest_limit) ++stats_.tampered;
  site.reached = std::clamp(next, site.reached, std::max(site.reached, site.highest_limit));
  return site.reached;
}

void ProbePump::refill(std::size_t index, Ticks now) {
  Site& site = sites_[index];
  const std::uint64_t reached = believable_next_seq(index);
  if (now - site.window_start >= second_) {
    site.window_start = now;
    site.window_base = reached;
  }
  const double share = std::min(1.0, kGrantAhead + static_cast<double>(now - site.window_start) /
                                                       static_cast<double>(second_));
  const auto hits = site.limits.hits_per_second;
  const auto grant = std::clamp(static_cast<std::uint64_t>(share * static_cast<double>(hits)),
                                std::min(hits, kGrantAtOnce), hits);
  // A hit that found no slot used up a number without handing in a record.
  const std::uint64_t lost = std::min(read(region_.probe(index).dropped), reached);
  const std::uint64_t limit = std::min(saturating_add(site.window_base, grant),
                                       saturating_add(site.limits.total_hits, lost));
  site.highest_limit = std::max(site.highest_limit, limit);
  write(region_.probe(index).seq_limit, limit);
}

bool ProbePump::Numbers::mark(std::uint64_t number) {
  if (seen_.empty()) seen_.resize(kSeenNumbers);
  if (number + kSeenNumbers < below_) return false;
  if (number < below_ && seen_[number % kSeenNumbers]) return false;
  const std::uint64_t gap = number >= below_ ? number - below_ : 0;
  if (gap >= kSeenNumbers) {
    seen_.assign(kSeenNumbers, false);
  } else {
    for (; below_ < number; ++below_) seen_[below_ % kSeenNumbers] = false;
  }
  below_ = std::max(below_, number + 1);
  seen_[number % kSeenNumbers] = true;
  return true;
}

bool ProbePump::is_within_lease(const RingRecord& record, Ticks now) {
  const bool is_within = record.tsc >= started_ && record.tsc <= now && record.tsc < deadline_;
  if (!is_within) ++stats_.outside_lease;
  return is_within;
}

bool ProbePump::accept(const RingRecord& record, Ticks now) {
  Site& site = sites_[record.site];
  if (!is_within_lease(record, now)) return false;
  if (record.seq >= site.highest_limit || site.accepted >= site.limits.total_hits) {
    ++stats_.beyond_grant;
    return false;
  }
  if (!site.records.mark(record.seq)) {
    ++stats_.repeated;
    return false;
  }
  ++site.accepted;
  ++stats_.accepted;
  return true;
}

bool ProbePump::accept_return(const RingRecord& record, std::size_t entry_site, Ticks now) {
  Site& site = sites_[entry_site];
  if (!is_within_lease(record, now)) return false;
  if (record.seq >= site.highest_limit) {
    ++stats_.beyond_grant;
    return false;
  }
  if (site.returns.mark(record.seq)) return true;
  ++stats_.repeated;
  return false;
}

bool ProbePump::finished() const {
  for (std::size_t i = 0; i < sites_.size(); ++i) {
    const ProbeState state = state_of(region_.probe(i));
    const bool off = state != ProbeState::kOn && state != ProbeState::kLapsed;
    if (!off && sites_[i].accepted < sites_[i].limits.total_hits) return false;
  }
  return true;
}

ProbeCounters ProbePump::counters(std::size_t site) const {
  const ProbeControl& probe = region_.probe(site);
  ProbeCounters counters;
  const std::uint64_t samples = read(probe.cost_samples);
  counters.hits = probe.hits();
  counters.matched = probe.matched();
  counters.suppressed = read(probe.suppressed);
  counters.dropped = read(probe.dropped);
  counters.condition_unavailable = read(probe.condition_unavailable);
  if (samples != 0)
    counters.mean_cost_ns = clock_.ns(read(probe.cost_ticks_total)) / static_cast<double>(samples);
  counters.worst_cost_ns = clock_.ns(read(probe.cost_ticks_worst));
  if (samples == 0) counters.mean_cost_ns = counters.worst_cost_ns;
  counters.state = state_of(probe);
  return counters;
}

}  // namespace nohalt::records
