// Greedy, the most constrained need first: a pun with 256 possible addresses
// must have its page, and others may then share it. For each need, every stretch
// of addresses that could hold it offers a few candidates (its nearest address,
// and the first free one in each page that is already taken); the one that adds
// the fewest pages wins, then the nearest. Optimal packing is not worth its
// time: needs are few, and pages are 4 KiB.

#include "probes/engines/inline/placement/place.h"

#include <algorithm>
#include <numeric>
#include <optional>

namespace nohalt::inline_placement {
namespace {

struct Candidate {
  RuntimeAddress at;
  std::uint64_t new_pages = 0;
  std::uint64_t distance = 0;

  [[nodiscard]] bool better_than(const Candidate& other) const {
    if (new_pages != other.new_pages) return new_pages < other.new_pages;
    return distance < other.distance;
  }
};

std::uint64_t width(const Need& need) {
  return std::accumulate(need.starts.begin(), need.starts.end(), std::uint64_t{0},
                         [](std::uint64_t sum, const RuntimeRange& r) { return sum + r.size(); });
}

// The least address from `a` on that the need's alignment allows.
std::uint64_t aligned_up(std::uint64_t a, const Need& need) {
  return a + ((need.remainder - a) & (need.alignment - 1));
}

class Placer {
 public:
  explicit Placer(const AddressSpace& space) : space_(space) {}

  [[nodiscard]] std::optional<RuntimeAddress> add(const Need& need);
  [[nodiscard]] std::vector<RuntimeRange> regions() const;

 private:
  void offer(const Need& need, RuntimeRange starts);
  void consider(const Need& need, RuntimeRange starts, RuntimeAddress wished);
  [[nodiscard]] std::vector<RuntimeRange> holes(RuntimeRange gap) const;
  [[nodiscard]] std::uint64_t new_pages(RuntimeRange range) const;

  const AddressSpace& space_;
  std::vector<RuntimeRange> used_;  // ascending, apart
  std::optional<Candidate> best_;
};

// What is left of a gap between the trampolines already placed.
std::vector<RuntimeRange> Placer::holes(RuntimeRange gap) const {
  std::vector<RuntimeRange> found;
  RuntimeAddress from = gap.begin;
  for (const RuntimeRange& used : used_) {
    if (!used.overlaps(gap)) continue;
    if (from < used.begin) found.push_back({from, used.begin});
    from = used.end;
  }
  if (from < gap.end) found.push_back({from, gap.end});
  return found;
}

std::uint64_t Placer::new_pages(RuntimeRange range) const {
  std::uint64_t count = 0;
  for (std::uint64_t page = page_floor(range.begin.value); page < range.end.value;
       page += kPageSize) {
    const RuntimeRange whole{{page}, {page + kPageSize}};
    const bool taken = std::any_of(used_.begin(), used_.end(),
                                   [&](const RuntimeRange& used) { return used.overlaps(whole); });
    if (!taken) ++count;
  }
  return count;
}

void Placer::consider(const Need& need, RuntimeRange starts, RuntimeAddress wished) {
  const std::uint64_t at = std::clamp(wished.value, starts.begin.value, starts.end.value - 1);
  std::uint64_t aligned = aligned_up(at, need);
  if (aligned >= starts.end.value) aligned -= need.alignment;
  if (aligned < starts.begin.value || aligned >= starts.end.value) return;
  Candidate candidate{{aligned}, 0, 0};
  candidate.new_pages = new_pages({candidate.at, candidate.at + need.size});
  candidate.distance =
      aligned > need.near.value ? aligned - need.near.value : need.near.value - aligned;
  if (!best_ || candidate.better_than(*best_)) best_ = candidate;
}

// `starts`: a stretch where every address may be the first byte.
void Placer::offer(const Need& need, RuntimeRange starts) {
  consider(need, starts, need.near);
  for (const RuntimeRange& used : used_) {
    consider(need, starts, used.end);
    consider(need, starts, {page_floor(used.begin.value)});
    if (used.begin.value > need.size) consider(need, starts, used.begin - need.size);
  }
}

std::optional<RuntimeAddress> Placer::add(const Need& need) {
  best_.reset();
  for (const RuntimeRange& gap : space_.free()) {
    for (const RuntimeRange& wanted : need.starts) {
      if (!gap.overlaps({wanted.begin, wanted.end + need.size})) continue;
      for (const RuntimeRange& hole : holes(gap)) {
        if (hole.size() < need.size) continue;
        const RuntimeRange starts{std::max(hole.begin, wanted.begin),
                                  std::min(hole.end - need.size + 1, wanted.end)};
        if (starts.begin < starts.end) offer(need, starts);
      }
    }
  }
  if (!best_) return std::nullopt;
  const RuntimeRange taken{best_->at, best_->at + need.size};
  used_.insert(std::upper_bound(
                   used_.begin(), used_.end(), taken,
                   [](const RuntimeRange& a, const RuntimeRange& b) { return a.begin < b.begin; }),
               taken);
  return best_->at;
}

std::vector<RuntimeRange> Placer::regions() const {
  std::vector<RuntimeRange> merged;
  for (const RuntimeRange& used : used_) {
    const RuntimeRange pages{{page_floor(used.begin.value)}, {page_ceil(used.end.value)}};
    if (!merged.empty() && pages.begin <= merged.back().end) {
      merged.back().end = std::max(merged.back().end, pages.end);
    } else {
      merged.push_back(pages);
    }
  }
  return merged;
}

}  // namespace

std::expected<Placement, std::size_t> place(const AddressSpace& space,
                                            std::span<const Need> needs) {
  std::vector<std::size_t> order(needs.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return width(needs[a]) < width(needs[b]); });
  Placement placement;
  placement.addresses.resize(needs.size());
  Placer placer(space);
  for (const std::size_t i : order) {
    const auto at = placer.add(needs[i]);
    if (!at) return std::unexpected(i);
    placement.addresses[i] = *at;
  }
  placement.regions = placer.regions();
  return placement;
}

}  // namespace nohalt::inline_placement
