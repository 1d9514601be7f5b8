#include "probes/stacks/locals/memory_image.h"

#include <algorithm>

namespace nohalt::locals {

namespace {

// Sorted; those that touch are one.
std::vector<RuntimeRange> joined(std::vector<RuntimeRange> ranges) {
  std::ranges::sort(ranges, {}, &RuntimeRange::begin);
  std::vector<RuntimeRange> whole;
  for (const RuntimeRange& range : ranges) {
    if (!whole.empty() && range.begin <= whole.back().end)
      whole.back().end = std::max(whole.back().end, range.end);
    else
      whole.push_back(range);
  }
  return whole;
}

// The part of `bytes`, which begin at `at`, that lies in the segment is written there.
template <class Source>
void paint(MemoryImage::Segment& segment, const RuntimeRange& range, const Source& byte_at) {
  const RuntimeAddress end = segment.begin + segment.bytes.size();
  for (RuntimeAddress at = std::max(range.begin, segment.begin); at < std::min(range.end, end);
       at = at + 1)
    segment.bytes[at - segment.begin] = byte_at(at - range.begin);
}

}  // namespace

void MemoryImage::tell(RuntimeAddress at, std::span<const std::byte> bytes) {
  // No range may wrap.
  if (bytes.empty() || at.value + bytes.size() < at.value) return;
  told_.push_back({at, {bytes.begin(), bytes.end()}});
  objects_.push_back({at, at + bytes.size()});
}

void MemoryImage::object(const RuntimeRange& range) {
  if (range.begin < range.end) objects_.push_back(range);
}

std::vector<MemoryImage::Segment> MemoryImage::segments() const {
  std::vector<Segment> segments;
  for (const RuntimeRange& range : joined(objects_)) {
    Segment& segment = segments.emplace_back(
        Segment{range.begin, std::vector<std::byte>(range.size(), kWithheld)});
    for (auto told = told_.rbegin(); told != told_.rend(); ++told)
      paint(segment, {told->begin, told->begin + told->bytes.size()},
            [&](std::uint64_t i) { return told->bytes[i]; });
    for (const RuntimeRange& hidden : hidden_)
      paint(segment, hidden, [](std::uint64_t) { return kWithheld; });
  }
  return segments;
}

}  // namespace nohalt::locals
