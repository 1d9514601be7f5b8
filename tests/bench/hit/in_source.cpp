#include "tests/bench/hit/in_source.h"

#include <x86intrin.h>

#include <atomic>

namespace nohalt::bench {

namespace {

using runtime::ProbeControl;
using runtime::ProbeState;
using runtime::SlotState;
using Word __attribute__((may_alias)) = std::uint64_t;

constexpr std::uint64_t kGeneration = 0x7e57'7e57'7e57'7e57;

}  // namespace

InSourceRing in_source_ring{};
constinit thread_local std::uint32_t in_source_tid = 0;

void capture_in_source(std::uint64_t a, std::uint64_t b, std::uint64_t c) {
  ProbeControl& probe = in_source_ring.probe;
  if (probe.state != static_cast<std::uint32_t>(ProbeState::kOn)) return;
  const std::atomic_ref next(const_cast<std::uint64_t&>(probe.next_seq));
  std::uint64_t seq = next.load(std::memory_order_relaxed);
  std::uint64_t now = 0;
  do {
    if (seq >= probe.seq_limit) {
      __atomic_fetch_add(&probe.suppressed, 1, __ATOMIC_RELAXED);
      return;
    }
    now = __rdtsc();
    if (now >= in_source_ring.lease_deadline) return;
  } while (!next.compare_exchange_weak(seq, seq + 1, std::memory_order_relaxed));
  InSourceRecord& slot = in_source_ring.slots[seq % kInSourceSlots];
  const std::uint64_t busy =
      std::uint64_t{in_source_tid} << 32 | static_cast<std::uint32_t>(SlotState::kBusy);
  std::uint64_t free = 0;
  if (!__atomic_compare_exchange_n(reinterpret_cast<Word*>(&slot), &free, busy, false,
                                   __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
    __atomic_fetch_add(&probe.dropped, 1, __ATOMIC_RELAXED);
    return;
  }
  slot.header.site = 0;
  slot.header.body_size = sizeof slot.values;
  slot.header.generation = kGeneration;
  slot.header.seq = seq;
  slot.header.tsc = now;
  slot.header.suppressed = probe.suppressed;
  slot.header.dropped = probe.dropped;
  slot.values[0] = a;
  slot.values[1] = b;
  slot.values[2] = c;
  __atomic_store_n(&slot.header.state, static_cast<std::uint32_t>(SlotState::kReady),
                   __ATOMIC_RELEASE);
}

}  // namespace nohalt::bench
