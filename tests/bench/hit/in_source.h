// The yardstick: what a programmer would write into the source to capture three
// values at a line under the same promises (a lease, a rate, a slot that is never
// overwritten, a thread id, a time), and compile with the rest of the program.
#pragma once

#include <cstdint>
#include <vector>

namespace nohalt::bench {

struct InSourceRecord {
  std::uint64_t state;
  std::uint64_t seq;
  std::uint64_t tsc;
  std::uint64_t tid;
  std::uint64_t values[3];
  std::uint64_t pad[9];  // as large as a slot of the ring with the same values
};

struct InSourceRing {
  alignas(64) std::uint64_t lease_deadline;
  alignas(64) std::int64_t tokens;
  alignas(64) std::uint64_t next;
  alignas(64) std::uint64_t dropped;
  std::vector<InSourceRecord> slots;  // a power of two
};

extern InSourceRing in_source_ring;

void capture_in_source(std::uint64_t a, std::uint64_t b, std::uint64_t c);

}  // namespace nohalt::bench
