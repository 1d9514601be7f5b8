// Slots: where a record is written. A slot is taken by one compare-and-swap from
// all-zero to {busy, owner}, so that whoever finds it busy knows by whom. The
// search starts where the sequence number points, which spreads threads over the
// ring, and gives up after a few tries: the thread never waits for the reader.
#include "probes/runtime/injected/internal.h"

namespace nohalt::runtime {

namespace {

constexpr uint64_t kMaxSlotTries = 8;
// Bounds of what an admitted hit is charged, as parts of cpu_outlier_ticks. A hit
// that made a system call may be preempted in it, for milliseconds on a busy
// machine, which is not its cost. So a reading counts as it is up to four times
// what hits of this probe usually cost, but always up to the lesser bound, so that
// a few dear ones among many cheap ones are paid in full.
constexpr uint64_t kFirstPart = 200;
constexpr uint64_t kLesserPart = 50;
constexpr uint64_t kTimesUsual = 4;

using Owner __attribute__((may_alias)) = uint64_t;  // {state, owner_tid} as one word

void note_worst(ProbeControl& probe, uint64_t cost) {
  uint64_t worst = load(probe.cost_ticks_worst);
  for (int tries = 0; tries < 4 && cost > worst; ++tries) {
    if (__atomic_compare_exchange_n(&probe.cost_ticks_worst, &worst, cost, false, __ATOMIC_RELAXED,
                                    __ATOMIC_RELAXED))
      return;
  }
}

// How much of `cost` is charged; learns from it.
uint64_t chargeable(ProbeControl& probe, uint64_t cost) {
  const uint64_t most = probe.cpu_outlier_ticks;
  uint64_t usual = load(probe.full_cost_ticks);
  if (usual == 0 || usual > most) usual = most / kFirstPart;
  __atomic_store_n(&probe.full_cost_ticks, next_estimate(usual, cost), __ATOMIC_RELAXED);
  uint64_t bound = kTimesUsual * usual;
  if (bound < most / kLesserPart) bound = most / kLesserPart;
  if (bound > most) bound = most;
  return cost < bound ? cost : bound;
}

void account(const HitContext& hit, uint64_t weight) {
  ProbeControl& probe = *hit.site->probe;
  const uint64_t entry = hit.tsc_entry & ~kSlowHit;
  const uint64_t begin = entry != 0 ? entry : hit.tsc_begin;
  const uint64_t cost = read_clock() - begin + kUntimedTicks;
  const uint64_t charged = chargeable(probe, cost);
  note_worst(probe, cost);
  if (charged < cost) {
    add(probe.outliers, 1);
  } else {
    add(probe.cost_ticks_total, cost);
    add(probe.cost_samples, 1);
  }
  charge(*hit.site, charged * weight);
}

void account_if_chosen(const HitContext& hit) {
  if ((hit.tsc_entry & kSlowHit) != 0 || hit.seq < kAccountedOneIn) {
    account(hit, 1);
  } else if (hit.seq % kAccountedOneIn == 0) {
    account(hit, kAccountedOneIn);
  }
}

}  // namespace

NOHALT_RUNTIME_ENTRY void* nohalt_reserve(HitContext* hit) {
  const SiteConstants& site = *hit->site;
  const uint64_t busy =
      uint64_t{thread_number(site)} << 32 | static_cast<uint32_t>(SlotState::kBusy);
  for (uint64_t i = 0; i < kMaxSlotTries; ++i) {
    Byte* slot = site.slots + ((hit->seq + i) & site.slot_mask) * site.slot_size;
    uint64_t free = 0;
    if (__atomic_compare_exchange_n(reinterpret_cast<Owner*>(slot), &free, busy, false,
                                    __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
      // Where a trampoline's own way to commit looks for them.
      auto* header = reinterpret_cast<RecordHeader*>(slot);
      header->seq = hit->seq;
      header->tsc = hit->tsc_begin;
      return slot + sizeof(RecordHeader);
    }
  }
  add(site.probe->dropped, 1);
  return nullptr;
}

NOHALT_RUNTIME_ENTRY uint64_t nohalt_admit(HitContext* hit) {
  if (nohalt_take_token(hit) == 0) return kNotAdmitted;
  void* body = nohalt_reserve(hit);
  return body == nullptr ? kNoSlot : reinterpret_cast<uint64_t>(body);
}

NOHALT_RUNTIME_ENTRY void nohalt_commit(HitContext* hit, void* body) {
  const SiteConstants& site = *hit->site;
  auto* header = reinterpret_cast<RecordHeader*>(static_cast<Byte*>(body) - sizeof(RecordHeader));
  reinterpret_cast<Word&>(header->site) = reinterpret_cast<const Word&>(site.site);
  header->generation = site.generation;
  header->seq = hit->seq;
  header->tsc = hit->tsc_begin;
  header->suppressed = load(site.probe->suppressed);
  header->dropped = load(site.probe->dropped);
  __atomic_store_n(&header->state, static_cast<uint32_t>(SlotState::kReady), __ATOMIC_RELEASE);
  account_if_chosen(*hit);
}

NOHALT_RUNTIME_ENTRY void nohalt_abandon(HitContext* hit, void* body) {
  Byte* slot = static_cast<Byte*>(body) - sizeof(RecordHeader);
  __atomic_store_n(reinterpret_cast<Owner*>(slot), 0, __ATOMIC_RELEASE);
  add(hit->site->probe->abandoned, 1);
  account_if_chosen(*hit);
}

}  // namespace nohalt::runtime
