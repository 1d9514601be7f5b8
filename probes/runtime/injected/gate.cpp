// The gates and the accounts: who is admitted, and what hits cost.
//
// Reading the clock costs about as much as the rest of a hit, so not every hit
// is timed:
//  - An admitted hit has read the clock once for the lease. The second reading
//    is made for the first 64, for each that made a system call (where it does
//    not show, and where costs differ most), and for one in 64 of the rest,
//    which is charged 64-fold.
//  - A hit that is not admitted is charged at a running estimate, 256 of them at
//    a time: the thread whose increment of the counter crosses the boundary
//    charges for all, so none is missed and none charged twice whatever the
//    interleaving. The trampoline times about one such hit in 256 (never the one
//    that charges, which is dearer than any other); those feed the estimate.
//
// A reading may hold a preemption, which is the cost of somebody else. So none
// is believed alone: an estimate moves by at most a quarter a reading, and falls by
// an eighth at most. It keeps to what most hits cost as long as less than a third
// of the readings are wild, and reaches a cost a hundred times as high in some 30.
// The clock read at each boundary also finds a lapsed lease where no hit ever
// asks for admission.
#include "probes/runtime/injected/internal.h"

namespace nohalt::runtime {

namespace {

constexpr uint64_t kFirstEstimate = 150;  // ticks, until one was measured
constexpr int kMaxTries = 256;            // against other threads; only ever met under a storm

void lapse_if_due(const SiteConstants& site, uint64_t now) {
  if (now >= load(site.control->lease_deadline_tsc)) turn_off(*site.probe, ProbeState::kLapsed);
}

uint64_t quick_estimate(const ProbeControl& probe) {
  const uint64_t estimate = load(probe.quick_cost_ticks);
  return estimate == 0 || estimate > probe.cpu_outlier_ticks ? kFirstEstimate : estimate;
}

void learn_quick_cost(ProbeControl& probe, uint64_t cost) {
  __atomic_store_n(&probe.quick_cost_ticks, next_estimate(quick_estimate(probe), cost),
                   __ATOMIC_RELAXED);
}

void charge_batch(const SiteConstants& site) {
  lapse_if_due(site, read_clock());
  charge(site, quick_estimate(*site.probe) * kQuickBatch);
}

// Accounts for one more hit that was not admitted, given how many there were.
void charge_quick(const SiteConstants& site, uint64_t earlier) {
  if (__builtin_expect((earlier + 1) % kQuickBatch == 0, 0)) charge_batch(site);
}

uint64_t suppress(const SiteConstants& site) {
  charge_quick(site, add(site.probe->suppressed, 1));
  return 0;
}

}  // namespace

void charge(const SiteConstants& site, uint64_t ticks) {
  ProbeControl& probe = *site.probe;
  ControlPage& control = *site.control;
  if (add(probe.cpu_ticks_used, ticks) + ticks > probe.cpu_ticks_budget)
    turn_off(probe, ProbeState::kSwitchedOffCpu);
  if (add(control.cpu_ticks_used, ticks) + ticks <= control.cpu_ticks_budget) return;
  auto* probes = reinterpret_cast<ProbeControl*>(reinterpret_cast<Byte*>(&control) + kProbesStart);
  for (uint32_t i = 0; i < kMaxProbes; ++i) turn_off(probes[i], ProbeState::kSwitchedOffCpu);
}

NOHALT_RUNTIME_ENTRY uint64_t nohalt_take_token(HitContext* hit) {
  const SiteConstants& site = *hit->site;
  ProbeControl& probe = *site.probe;
  uint64_t seq = load(probe.next_seq);
  if (seq >= load(probe.seq_limit)) return suppress(site);
  const uint64_t now = read_clock();
  if (__builtin_expect(now >= load(site.control->lease_deadline_tsc), 0)) {
    turn_off(probe, ProbeState::kLapsed);
    return suppress(site);
  }
  for (int tries = 0; tries < kMaxTries; ++tries) {
    if (__atomic_compare_exchange_n(&probe.next_seq, &seq, seq + 1, false, __ATOMIC_RELAXED,
                                    __ATOMIC_RELAXED)) {
      hit->tsc_begin = now;
      hit->seq = seq;
      return 1;
    }
    if (seq >= load(probe.seq_limit)) break;
  }
  return suppress(site);
}

NOHALT_RUNTIME_ENTRY void nohalt_finish(HitContext* hit, uint64_t outcome) {
  constexpr uint64_t kNoMatch = 0;               // program::Outcome
  constexpr uint64_t kDropped = 3;               // program::Outcome
  constexpr uint64_t kConditionUnavailable = 4;  // program::Outcome
  const SiteConstants& site = *hit->site;
  if ((outcome & kLetOutEarly) != 0) {
    const uint64_t cost = static_cast<uint32_t>(outcome);
    if (cost == 0) return charge_batch(site);
    return learn_quick_cost(*site.probe, cost + kUntimedTicks);
  }
  if (outcome == kNoMatch || outcome == kConditionUnavailable) {
    if (outcome == kConditionUnavailable) add(site.probe->condition_unavailable, 1);
    charge_quick(site, add(site.probe->unmatched, 1));
  }
  const uint64_t entry = hit->tsc_entry & ~kSlowHit;
  if (__builtin_expect(entry != 0, 0) && outcome != kDropped)
    learn_quick_cost(*site.probe, read_clock() - entry + kUntimedTicks);
}

}  // namespace nohalt::runtime
