// Which addresses of a process may take code of ours. Not all that is unmapped
// is free: heaps and stacks grow, and must find what lies before them empty.
//
// Threading: immutable once made.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "src/base/address.h"

namespace nohalt::inline_placement {

// The heap grows upward from its start, always in one piece, and a grown service
// rarely doubles by more than this while a probe (minutes) is armed. Were the
// heap to meet us nevertheless, malloc falls back to mmap. With the 2 GiB that a
// jump reaches, a GiB kept free still leaves another above the heap.
inline constexpr std::uint64_t kHeapGuard = 1ULL << 30;
// The kernel keeps stack_guard_gap (256 pages) between a growing stack and what
// lies below it; mapping closer would make the stack fault early.
inline constexpr std::uint64_t kStackGuardGap = 256 * kPageSize;
inline constexpr std::uint64_t kLeastStackGrowth = 8ULL << 20;
inline constexpr std::uint64_t kUnlimitedStackGrowth = 256ULL << 20;
// One page short of 47 bits, where the kernel ends user space (4-level paging).
inline constexpr std::uint64_t kUserSpaceEnd = (1ULL << 47) - kPageSize;

struct SpaceInput {
  std::vector<RuntimeRange> mapped;          // every line of /proc/PID/maps, any order
  std::optional<RuntimeRange> heap;          // from start_brk to the current break; may be empty
  std::optional<RuntimeRange> stack;         // the main thread's, as mapped
  std::optional<std::uint64_t> stack_limit;  // RLIMIT_STACK in bytes; none: unlimited
  std::uint64_t mmap_min_addr = 65536;
};

class AddressSpace {
 public:
  explicit AddressSpace(const SpaceInput& input);

  // Page-aligned free ranges, ascending, not touching each other.
  [[nodiscard]] std::span<const RuntimeRange> free() const { return free_; }
  [[nodiscard]] bool is_free(RuntimeRange range) const;

  // Whether `size` bytes may begin at some address in `starts` that is
  // `remainder` modulo `alignment`, a power of two.
  [[nodiscard]] bool has_room(RuntimeRange starts, std::uint64_t size, std::uint64_t alignment = 1,
                              std::uint64_t remainder = 0) const;

 private:
  std::vector<RuntimeRange> free_;
};

}  // namespace nohalt::inline_placement
