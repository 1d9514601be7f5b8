#include "probes/stacks/hit_memory.h"

#include <algorithm>
#include <cstring>

namespace nohalt::stacks {

std::size_t HitMemory::read(RuntimeAddress from, std::span<std::byte> to) const {
  const std::uint64_t into = from.value - captured_.stack_begin.value;
  std::size_t known = 0;
  if (from >= captured_.stack_begin && into < captured_.bytes.size()) {
    known = std::min<std::size_t>(to.size(), captured_.bytes.size() - into);
    std::memcpy(to.data(), captured_.bytes.data() + into, known);
  } else {
    const std::vector<std::uint8_t> bytes = images_.constants(from, to.size());
    known = std::min(to.size(), bytes.size());
    std::memcpy(to.data(), bytes.data(), known);
  }
  for (const Part& part : hidden(from, known))
    std::memset(to.data() + part.begin, 0, part.end - part.begin);
  return known;
}

std::vector<HitMemory::Part> HitMemory::hidden(RuntimeAddress from, std::uint64_t size) const {
  std::vector<Part> parts;
  for (const RuntimeRange& range : hidden_) {
    if (!range.overlaps({from, from + size})) continue;
    const RuntimeAddress begin = std::max(range.begin, from);
    const RuntimeAddress end = std::min(range.end, from + size);
    parts.push_back({begin - from, end - from});
  }
  return parts;
}

ReadMemory HitMemory::reader() const {
  return [this](std::uint64_t from, std::span<std::byte> to) {
    return hidden({from}, to.size()).empty() && read({from}, to) == to.size();
  };
}

}  // namespace nohalt::stacks
