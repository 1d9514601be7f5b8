// What the parts of the injected runtime share. This code is not part of the
// tool: it is compiled on its own, free-standing, linked to one position
// independent block without writable data or relocations, and runs in threads
// that know nothing of it. It may be entered again by a signal handler at any
// instruction, so it keeps no state but its arguments, the control region, and
// its stack.
#pragma once

#include "probes/runtime/layout.h"

#define NOHALT_RUNTIME_ENTRY extern "C" __attribute__((visibility("default"), used))

namespace nohalt::runtime {

inline constexpr int64_t kEfault = -14;

// Aligned, may alias anything: what the copy loops load and store.
using Word __attribute__((may_alias, aligned(1))) = uint64_t;
using Byte __attribute__((may_alias)) = uint8_t;

inline uint64_t read_clock() {
  uint32_t low = 0;
  uint32_t high = 0;
  asm volatile("rdtsc" : "=a"(low), "=d"(high));
  return uint64_t{high} << 32 | low;
}

// The number of the current thread, where the C library keeps it; 0: unknown.
inline uint32_t thread_number(const SiteConstants& site) {
  if (site.tid_offset == 0) return 0;
  uint32_t tid = 0;
  asm volatile("movl %%fs:(%1), %0" : "=r"(tid) : "r"(uint64_t{site.tid_offset}));
  return tid;
}

inline uint64_t add(volatile uint64_t& counter, uint64_t amount) {
  return __atomic_fetch_add(&counter, amount, __ATOMIC_RELAXED);
}

inline uint64_t load(const volatile uint64_t& word) {
  return __atomic_load_n(&word, __ATOMIC_RELAXED);
}

// Turns a probe off where it is on. Never on: that is the tool's alone.
inline void turn_off(ProbeControl& probe, ProbeState to) {
  uint32_t on = static_cast<uint32_t>(ProbeState::kOn);
  __atomic_compare_exchange_n(&probe.state, &on, static_cast<uint32_t>(to), false, __ATOMIC_RELAXED,
                              __ATOMIC_RELAXED);
}

// What lies outside of the two clock readings: getting there, saving, restoring.
inline constexpr uint64_t kUntimedTicks = 40;

// A running estimate after one more reading; see gate.cpp.
inline uint64_t next_estimate(uint64_t estimate, uint64_t reading) {
  if (reading > 3 * estimate) reading = 3 * estimate;
  return (estimate * 7 + reading + 7) / 8;
}

NOHALT_RUNTIME_ENTRY uint64_t nohalt_take_token(HitContext* hit);

// Charges the probe's and the run's CPU budget, and switches off what overspent.
void charge(const SiteConstants& site, uint64_t ticks) __attribute__((visibility("hidden")));
}  // namespace nohalt::runtime
