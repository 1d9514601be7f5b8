// Instruction punning: Chamith, Svensson, Dalessandro, Newton, "Instruction
// Punning: Lightweight Instrumentation for x86-64" (PLDI 2017), with the
// padding of Duck, Gao, Roychoudhury, "Binary Rewriting without Control Flow
// Recovery" (PLDI 2020).
//
// Which prefixes: REX.W is ignored by a direct jump, whose operand is 64 bits
// anyway (SDM volume 2, JMP), and must stand last; the cs and es overrides are
// ignored in 64-bit mode (SDM volume 1, 3.3.7.1; AMD APM volume 1, 4.5.3;
// assemblers pad branches with them). 66 is not used: AMD cuts the target to
// 16 bits, Intel does not. f2, f3 and 3e carry meanings (BND, REP, NOTRACK).

#include "probes/engines/inline/sites/jump_form.h"

#include <algorithm>
#include <array>

namespace nohalt::inline_sites {
namespace {

constexpr std::uint8_t kJumpOpcode = 0xe9;
constexpr std::array<std::uint8_t, kMaxJumpPrefixes> kPrefixes = {0x26, 0x2e, 0x48};
constexpr std::uint64_t kUserSpaceEnd = (1ULL << 47) - kPageSize;

std::int64_t span_of(std::uint8_t free_bytes) { return std::int64_t{1} << (8 * free_bytes); }

}  // namespace

std::vector<std::uint8_t> jump_head(std::uint8_t prefix_count) {
  std::vector<std::uint8_t> bytes(kPrefixes.end() - prefix_count, kPrefixes.end());
  bytes.push_back(kJumpOpcode);
  return bytes;
}

std::int64_t JumpForm::first() const { return length() + std::int64_t{fixed_distance}; }
std::int64_t JumpForm::last() const { return first() + span_of(free_bytes) - 1; }

std::vector<JumpForm> jump_forms(std::span<const std::uint8_t> bytes,
                                 std::uint8_t instruction_length, std::uint64_t address) {
  std::vector<JumpForm> forms;
  for (std::uint8_t prefixes = 0; prefixes <= kMaxJumpPrefixes; ++prefixes) {
    JumpForm form;
    form.prefix_count = prefixes;
    if (instruction_length <= prefixes) break;
    if (form.length() > bytes.size()) break;
    if (page_floor(address) != page_floor(address + form.length() - 1)) break;
    form.free_bytes =
        static_cast<std::uint8_t>(std::min<int>(4, instruction_length - 1 - prefixes));
    std::uint32_t distance = form.free_bytes == 4 ? 0x8000'0000U : 0U;
    for (unsigned i = form.free_bytes; i < 4; ++i) {
      distance |= std::uint32_t{bytes[prefixes + 1U + i]} << (8 * i);
    }
    form.fixed_distance = static_cast<std::int32_t>(distance);
    forms.push_back(form);
    if (form.free_bytes == 4) break;  // reaches everything that a prefix could
  }
  return forms;
}

std::optional<RuntimeRange> reachable(const JumpForm& form, RuntimeAddress address) {
  const auto at = static_cast<std::int64_t>(address.value);
  const std::int64_t first = std::max<std::int64_t>(at + form.first(), 0);
  const std::int64_t end = std::min(at + form.last() + 1, static_cast<std::int64_t>(kUserSpaceEnd));
  if (first >= end) return std::nullopt;
  return RuntimeRange{{static_cast<std::uint64_t>(first)}, {static_cast<std::uint64_t>(end)}};
}

Spacing spacing(const JumpForm& form, RuntimeAddress address) {
  const std::uint64_t alignment = std::uint64_t{1} << (8 * form.given_bytes);
  return {alignment, (address.value + form.length() + form.given) & (alignment - 1)};
}

std::optional<std::vector<std::uint8_t>> encode_jump(const JumpForm& form, RuntimeAddress address,
                                                     RuntimeAddress trampoline) {
  const auto distance = static_cast<std::int64_t>(trampoline - address);
  if (distance < form.first() || distance > form.last()) return std::nullopt;
  const auto rel = static_cast<std::uint32_t>(distance - form.length());
  const auto given_mask = static_cast<std::uint32_t>((1ULL << (8 * form.given_bytes)) - 1);
  if ((rel & given_mask) != form.given) return std::nullopt;
  std::vector<std::uint8_t> bytes = jump_head(form.prefix_count);
  for (unsigned i = 0; i < form.free_bytes; ++i) {
    bytes.push_back(static_cast<std::uint8_t>(rel >> (8 * i)));
  }
  return bytes;
}

}  // namespace nohalt::inline_sites
