// Encodings: Intel SDM volume 2, JMP, Jcc, PUSH. Opcode ff takes its operation
// from the ModRM's middle field: /4 jumps, /6 pushes; mod 00 rm 101 is rip.

#include "probes/engines/inline/relocate/emitter.h"

#include <array>
#include <cstring>
#include <limits>

namespace nohalt::inline_relocate {
namespace {

constexpr std::uint8_t kGroup5 = 0xff;
constexpr std::uint8_t kJumpThroughRip = 0x25;
constexpr std::uint8_t kPushThroughRip = 0x35;
constexpr std::uint8_t kIndirectJumpLength = 6;

std::int64_t distance(RuntimeAddress from, RuntimeAddress to) {
  return static_cast<std::int64_t>(to - from);
}

}  // namespace

bool reaches(RuntimeAddress from, RuntimeAddress to) {
  const std::int64_t d = distance(from, to);
  return d >= std::numeric_limits<std::int32_t>::min() &&
         d <= std::numeric_limits<std::int32_t>::max();
}

void Emitter::bytes(std::span<const std::uint8_t> code) {
  bytes_.insert(bytes_.end(), code.begin(), code.end());
}

void Emitter::dword(std::int32_t value) {
  std::array<std::uint8_t, sizeof value> raw{};
  std::memcpy(raw.data(), &value, sizeof value);
  bytes(raw);
}

void Emitter::distance_to(RuntimeAddress target) {
  dword(static_cast<std::int32_t>(distance(here() + 4, target)));
}

void Emitter::through_literal(std::uint8_t modrm, std::uint64_t value) {
  byte(kGroup5);
  byte(modrm);
  literals_.push_back({bytes_.size(), value});
  dword(0);
}

void Emitter::jump(RuntimeAddress target) {
  if (!reaches(here() + 5, target)) return through_literal(kJumpThroughRip, target.value);
  byte(0xe9);
  distance_to(target);
}

void Emitter::jump_if(std::uint8_t condition, RuntimeAddress target) {
  if (reaches(here() + 6, target)) {
    byte(0x0f);
    byte(static_cast<std::uint8_t>(0x80 | condition));
    return distance_to(target);
  }
  byte(static_cast<std::uint8_t>(0x70 | (condition ^ 1)));  // the opposite, over the jump
  byte(kIndirectJumpLength);
  through_literal(kJumpThroughRip, target.value);
}

void Emitter::push_constant(std::uint64_t value) { through_literal(kPushThroughRip, value); }

std::vector<std::uint8_t> Emitter::finish() && {
  for (const Literal& literal : literals_) {
    const auto from_end =
        static_cast<std::int32_t>(bytes_.size() - (literal.distance_at + sizeof(std::int32_t)));
    std::memcpy(&bytes_[literal.distance_at], &from_end, sizeof from_end);
    std::array<std::uint8_t, sizeof literal.value> raw{};
    std::memcpy(raw.data(), &literal.value, sizeof literal.value);
    bytes(raw);
  }
  return std::move(bytes_);
}

}  // namespace nohalt::inline_relocate
