#include "tests/bench/hit/in_source.h"

#include <x86intrin.h>

#include <atomic>

namespace nohalt::bench {

InSourceRing in_source_ring{};

void capture_in_source(std::uint64_t a, std::uint64_t b, std::uint64_t c) {
  InSourceRing& ring = in_source_ring;
  const std::uint64_t now = __rdtsc();
  if (now >= ring.lease_deadline) return;
  if (std::atomic_ref(ring.tokens).fetch_sub(1, std::memory_order_relaxed) <= 0) return;
  const std::uint64_t seq = std::atomic_ref(ring.next).fetch_add(1, std::memory_order_relaxed);
  InSourceRecord& slot = ring.slots[seq & (ring.slots.size() - 1)];
  std::uint64_t free = 0;
  if (!std::atomic_ref(slot.state).compare_exchange_strong(free, 1, std::memory_order_acquire)) {
    std::atomic_ref(ring.dropped).fetch_add(1, std::memory_order_relaxed);
    return;
  }
  slot.seq = seq;
  slot.tsc = now;
  slot.tid = *static_cast<const std::uint64_t*>(__builtin_thread_pointer());
  slot.values[0] = a;
  slot.values[1] = b;
  slot.values[2] = c;
  std::atomic_ref(slot.state).store(2, std::memory_order_release);
}

}  // namespace nohalt::bench
