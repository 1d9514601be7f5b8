// Each byte of the first jump's distance is one of: free (within the probed
// instruction), constant (a prefix or the opcode of the second jump), linked (a
// free byte of the second jump's distance, which thereby becomes given), or an
// unchanged byte behind both. All values of the highest linked byte are tried,
// for it decides where in the 4 GiB the first jump lands; of the lower ones a few.

#include "probes/engines/inline/sites/eviction.h"

#include <array>

namespace nohalt::inline_sites {
namespace {

constexpr std::array<std::uint8_t, 3> kLowLinkedValues = {0x00, 0x55, 0xaa};

// The first jump's distance, its free bytes zero, split by where bytes come from.
struct Pattern {
  std::uint8_t free_bytes = 0;
  std::uint8_t linked_bytes = 0;
  std::uint8_t linked_at = 0;  // index in the distance of the lowest linked byte
  std::uint32_t fixed = 0;     // constant and unchanged bytes in place
};

Pattern pattern_of(std::span<const std::uint8_t> bytes, std::uint8_t length, std::uint8_t prefixes,
                   const JumpForm& second) {
  Pattern pattern;
  const std::vector<std::uint8_t> head = jump_head(second.prefix_count);
  for (std::uint8_t i = 0; i < 4; ++i) {
    const auto at = static_cast<std::size_t>(prefixes + 1U + i);
    if (at < length) {
      ++pattern.free_bytes;
    } else if (at - length < head.size()) {
      pattern.fixed |= std::uint32_t{head[at - length]} << (8 * i);
    } else if (at - length < second.changed()) {
      if (pattern.linked_bytes++ == 0) pattern.linked_at = i;
    } else {
      pattern.fixed |= std::uint32_t{bytes[at]} << (8 * i);
    }
  }
  return pattern;
}

Eviction make(const Pattern& pattern, std::uint8_t prefixes, const JumpForm& second,
              std::uint32_t linked) {
  Eviction eviction{{}, second};
  eviction.first.prefix_count = prefixes;
  eviction.first.free_bytes = pattern.free_bytes;
  const std::uint32_t shift = 8U * pattern.linked_at;
  const std::uint32_t placed = pattern.linked_bytes == 0 ? 0 : linked << shift;
  eviction.first.fixed_distance = static_cast<std::int32_t>(pattern.fixed | placed);
  eviction.second.given_bytes = pattern.linked_bytes;
  eviction.second.given = linked;
  return eviction;
}

// 0, -1, 1, -2, 2, ... as bytes: the nearest landings first.
std::uint8_t nearest(unsigned n) {
  return static_cast<std::uint8_t>(n % 2 == 0 ? n / 2 : 255 - n / 2);
}

struct Choice {
  Pattern pattern;
  std::uint8_t prefixes = 0;
  JumpForm second;

  // The evictions whose highest linked byte is the n-th nearest.
  void add(unsigned n, std::vector<Eviction>& out) const {
    if (pattern.linked_bytes == 0) {
      if (n == 0) out.push_back(make(pattern, prefixes, second, 0));
      return;
    }
    const unsigned shift = 8U * (pattern.linked_bytes - 1U);
    const std::uint32_t high = std::uint32_t{nearest(n)} << shift;
    for (const std::uint8_t low : kLowLinkedValues) {
      const std::uint32_t low_bytes = (0x01'0101U * low) & ((1U << shift) - 1U);
      out.push_back(make(pattern, prefixes, second, high | low_bytes));
      if (pattern.linked_bytes == 1) return;  // there are no lower ones
    }
  }
};

std::vector<Choice> choices(std::span<const std::uint8_t> bytes, std::uint8_t length,
                            std::uint8_t successor_length, std::uint64_t address) {
  std::vector<Choice> found;
  for (const JumpForm& second :
       jump_forms(bytes.subspan(length), successor_length, address + length)) {
    for (std::uint8_t prefixes = 0; prefixes < length && prefixes <= kMaxJumpPrefixes; ++prefixes) {
      const std::uint64_t size = prefixes + std::uint64_t{kJumpLength};
      if (size > bytes.size() || page_floor(address + size - 1) != page_floor(address)) continue;
      found.push_back({pattern_of(bytes, length, prefixes, second), prefixes, second});
    }
  }
  return found;
}

}  // namespace

std::vector<Eviction> evictions(std::span<const std::uint8_t> bytes, std::uint8_t length,
                                std::uint8_t successor_length, std::uint64_t address,
                                std::size_t most,
                                const std::function<bool(const Eviction&)>& accept) {
  std::vector<Eviction> accepted;
  if (bytes.size() <= length || page_floor(address) != page_floor(address + length)) {
    return accepted;
  }
  const auto all = choices(bytes, length, successor_length, address);
  std::vector<Eviction> candidates;
  for (unsigned n = 0; n < 256; ++n) {
    candidates.clear();
    for (const Choice& choice : all) choice.add(n, candidates);
    for (const Eviction& eviction : candidates) {
      if (accept && !accept(eviction)) continue;
      accepted.push_back(eviction);
      if (accepted.size() == most) return accepted;
    }
  }
  return accepted;
}

}  // namespace nohalt::inline_sites
