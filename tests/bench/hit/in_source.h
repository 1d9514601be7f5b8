// The yardstick: what a programmer would write into the source to capture three
// values at a line under the same promises, and compile with the rest of the
// program. It does the same job with the same means: an on-off switch, a rate that
// is a number, a lease by the clock, a slot of a shared ring that is taken whoever
// else writes and never overwritten, and the same bytes in it, the record's header
// (thread, place, run, number, time, what was lost) and the values. It lacks
// what only a probe needs: saved registers, the gate for forked children, CPU
// accounts.
#pragma once

#include <cstdint>

#include "probes/runtime/layout.h"

namespace nohalt::bench {

struct InSourceRecord {
  runtime::RecordHeader header;
  std::uint64_t values[3];
  std::uint64_t pad[5];
};

inline constexpr std::uint64_t kInSourceSlots = 1024;

struct InSourceRing {
  runtime::ProbeControl probe;
  alignas(runtime::kCacheLine) std::uint64_t lease_deadline;
  alignas(runtime::kCacheLine) InSourceRecord slots[kInSourceSlots];
};

extern InSourceRing in_source_ring;
extern constinit thread_local std::uint32_t in_source_tid;  // set by the thread that captures

void capture_in_source(std::uint64_t a, std::uint64_t b, std::uint64_t c);

}  // namespace nohalt::bench
