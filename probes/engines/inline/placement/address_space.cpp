// The free space is what remains between all blocked ranges, sorted and merged.

#include "probes/engines/inline/placement/address_space.h"

#include <algorithm>

namespace nohalt::inline_placement {
namespace {

std::uint64_t less(std::uint64_t a, std::uint64_t b) { return a > b ? a - b : 0; }

RuntimeRange heap_room(RuntimeRange heap) { return {heap.begin, heap.end + kHeapGuard}; }

RuntimeRange stack_room(RuntimeRange stack, std::optional<std::uint64_t> limit) {
  const std::uint64_t grown =
      limit ? less(stack.end.value, *limit) : less(stack.begin.value, kUnlimitedStackGrowth);
  const std::uint64_t low = std::min(grown, less(stack.begin.value, kLeastStackGrowth));
  return {{less(low, kStackGuardGap)}, stack.end};
}

}  // namespace

AddressSpace::AddressSpace(const SpaceInput& input) {
  std::vector<RuntimeRange> blocked = input.mapped;
  if (input.heap) blocked.push_back(heap_room(*input.heap));
  if (input.stack) blocked.push_back(stack_room(*input.stack, input.stack_limit));
  std::sort(blocked.begin(), blocked.end(),
            [](const RuntimeRange& a, const RuntimeRange& b) { return a.begin < b.begin; });
  RuntimeAddress from{page_ceil(std::max(input.mmap_min_addr, kPageSize))};
  const RuntimeAddress end{kUserSpaceEnd};
  for (const RuntimeRange& range : blocked) {
    const RuntimeAddress gap_end = std::min(RuntimeAddress{page_floor(range.begin.value)}, end);
    if (from < gap_end) free_.push_back({from, gap_end});
    from = std::max(from, RuntimeAddress{page_ceil(range.end.value)});
  }
  if (from < end) free_.push_back({from, end});
}

bool AddressSpace::is_free(RuntimeRange range) const {
  return std::any_of(free_.begin(), free_.end(), [&](const RuntimeRange& gap) {
    return gap.begin <= range.begin && range.end <= gap.end;
  });
}

bool AddressSpace::has_room(RuntimeRange starts, std::uint64_t size, std::uint64_t alignment,
                            std::uint64_t remainder) const {
  return std::any_of(free_.begin(), free_.end(), [&](const RuntimeRange& gap) {
    if (gap.size() < size) return false;
    const RuntimeAddress first = std::max(gap.begin, starts.begin);
    const RuntimeAddress aligned = first + ((remainder - first.value) & (alignment - 1));
    return aligned < starts.end && aligned + size <= gap.end;
  });
}

}  // namespace nohalt::inline_placement
