// The order of choice: one instruction of five bytes or more, a punned jump, an
// eviction, several instructions.

#include "probes/engines/inline/sites/window.h"

#include <algorithm>

namespace nohalt::inline_sites {
namespace {

using WindowResult = std::expected<Window, SiteRefusal>;

bool meets_other_probe(const ProbeBytes& mine, std::span<const ProbeBytes> others) {
  return std::any_of(others.begin(), others.end(), [&](const ProbeBytes& other) {
    return mine.changed.overlaps(other.relied) || mine.relied.overlaps(other.changed);
  });
}

std::optional<SiteRefusal> check_instruction(const FunctionCode& code,
                                             const PlacedInstruction& placed,
                                             const TargetTraits& target) {
  if (const auto refusal = why_not_displaceable(placed.instruction, target)) return refusal;
  if (code.branches_into({placed.address + 1, placed.end()})) return SiteRefusal::kOverlappingCode;
  const LinkRange range{placed.address, placed.end()};
  for (const LinkRange& sequence : target.restartable_sequences) {
    if (sequence.overlaps(range)) return SiteRefusal::kRestartableSequence;
  }
  return std::nullopt;
}

std::expected<const PlacedInstruction*, SiteRefusal> find_site(const FunctionCode& code,
                                                               LinkAddress pc,
                                                               const TargetTraits& target) {
  if (target.managed_stack) return std::unexpected(SiteRefusal::kManagedStack);
  const PlacedInstruction* placed = code.at(pc);
  if (placed == nullptr) {
    const bool unreadable = code.range().contains(pc) && !decode(code.bytes_from(pc));
    return std::unexpected(unreadable ? SiteRefusal::kUnknownOpcode : SiteRefusal::kMisaligned);
  }
  if (const auto refusal = check_instruction(code, *placed, target)) {
    return std::unexpected(*refusal);
  }
  return placed;
}

// The jumps that serve over `length` bytes at an address of which all become the
// window's.
std::expected<std::vector<JumpForm>, SiteRefusal> usable_forms(const FunctionCode& code,
                                                               LinkAddress at, std::uint8_t length,
                                                               std::uint8_t displaced,
                                                               const SiteContext& context) {
  auto forms = jump_forms(code.bytes_from(at), length, at.value);
  if (forms.empty()) return std::unexpected(SiteRefusal::kCrossesPage);
  std::erase_if(forms, [&](const JumpForm& form) {
    const ProbeBytes mine{{at, at + std::max(form.changed(), displaced)},
                          {at, at + std::max(form.length(), displaced)}};
    return meets_other_probe(mine, context.other_probes);
  });
  if (forms.empty()) return std::unexpected(SiteRefusal::kOtherProbe);
  if (context.placeable)
    std::erase_if(forms, [&](const JumpForm& form) { return !context.placeable(form, at); });
  if (forms.empty()) return std::unexpected(SiteRefusal::kNoTrampolineRoom);
  return forms;
}

Window window_of(WindowKind kind, LinkAddress at, std::vector<Instruction> displaced,
                 std::vector<JumpForm> forms) {
  Window window;
  window.kind = kind;
  window.address = at;
  for (const JumpForm& form : forms) {
    window.changed = std::max(window.changed, form.changed());
    window.relied = std::max(window.relied, form.length());
  }
  window.displaced = std::move(displaced);
  window.forms = std::move(forms);
  return window;
}

// Plain and punned jumps over the one instruction.
WindowResult one_instruction(const FunctionCode& code, const PlacedInstruction& placed,
                             const SiteContext& context) {
  const std::uint64_t room = placed.instruction.flow == Flow::kReturn ? context.padding : 0;
  const auto length = static_cast<std::uint8_t>(
      std::min<std::uint64_t>(placed.instruction.length + room, kMaxInstructionLength));
  auto forms = usable_forms(code, placed.address, length, 0, context);
  if (!forms) return std::unexpected(forms.error());
  const auto kind = length >= kJumpLength ? WindowKind::kJump : WindowKind::kPunnedJump;
  return window_of(kind, placed.address, {placed.instruction}, std::move(*forms));
}

// The instructions from `placed` on that one jump may cover, up to as many as make
// room for it; `why` tells what stands behind the last where there are fewer.
std::vector<Instruction> coverable(const FunctionCode& code, const PlacedInstruction& placed,
                                   const TargetTraits& target, SiteRefusal& why) {
  std::vector<Instruction> covered;
  std::size_t length = 0;
  for (const PlacedInstruction* next = &placed;;) {
    const Instruction& instruction = next->instruction;
    covered.push_back(instruction);
    length += instruction.length;
    if (length >= kJumpLength) return covered;
    why = SiteRefusal::kCallNotLast;
    if (instruction.flow == Flow::kCall || instruction.flow == Flow::kIndirectCall) return covered;
    why = SiteRefusal::kWindowTooShort;
    next = instruction.falls_through() ? code.at(next->end()) : nullptr;
    if (next == nullptr) return covered;
    why = SiteRefusal::kBranchIntoWindow;
    if (code.branches_into({next->address, next->address + 1})) return covered;
    if (const auto refusal = check_instruction(code, *next, target)) {
      why = *refusal;
      return covered;
    }
  }
}

WindowResult several_instructions(const FunctionCode& code, const PlacedInstruction& placed,
                                  const SiteContext& context) {
  if (!code.all_branches_known()) return std::unexpected(SiteRefusal::kUnknownBranches);
  SiteRefusal why = SiteRefusal::kWindowTooShort;
  auto covered = coverable(code, placed, context.target, why);
  if (covered.size() < 2) return std::unexpected(why);
  std::size_t length = 0;
  for (const Instruction& instruction : covered) length += instruction.length;
  const auto all = static_cast<std::uint8_t>(length);
  auto forms = usable_forms(code, placed.address, all, all, context);
  if (!forms) {
    const bool borrows = length < kJumpLength && forms.error() == SiteRefusal::kNoTrampolineRoom;
    return std::unexpected(borrows ? why : forms.error());
  }
  Window window =
      window_of(WindowKind::kSeveral, placed.address, std::move(covered), std::move(*forms));
  window.changed = std::max(window.changed, all);
  window.relied = std::max(window.relied, all);
  return window;
}

constexpr std::size_t kEvictionsKept = 4;

ProbeBytes bytes_of(LinkAddress at, std::uint8_t length, const Eviction& eviction) {
  const auto changed = static_cast<std::uint64_t>(length + eviction.second.changed());
  const auto relied = std::max<std::uint64_t>(
      eviction.first.length(), static_cast<std::uint64_t>(length + eviction.second.length()));
  return {{at, at + changed}, {at, at + relied}};
}

// A jump over the one instruction and another over its successor.
std::optional<Window> with_successor(const FunctionCode& code, const PlacedInstruction& placed,
                                     const SiteContext& context) {
  const PlacedInstruction* next = code.at(placed.end());
  if (next == nullptr || check_instruction(code, *next, context.target)) return std::nullopt;
  const std::uint8_t length = placed.instruction.length;
  const auto serves = [&](const Eviction& eviction) {
    if (meets_other_probe(bytes_of(placed.address, length, eviction), context.other_probes)) {
      return false;
    }
    return !context.placeable || (context.placeable(eviction.first, placed.address) &&
                                  context.placeable(eviction.second, next->address));
  };
  Window window;
  window.kind = WindowKind::kEvicted;
  window.address = placed.address;
  window.displaced = {placed.instruction};
  window.successor = next->instruction;
  window.evictions = evictions(code.bytes_from(placed.address), length, next->instruction.length,
                               placed.address.value, kEvictionsKept, serves);
  if (window.evictions.empty()) return std::nullopt;
  for (const Eviction& eviction : window.evictions) {
    const ProbeBytes mine = bytes_of(placed.address, length, eviction);
    window.changed = std::max(window.changed, static_cast<std::uint8_t>(mine.changed.size()));
    window.relied = std::max(window.relied, static_cast<std::uint8_t>(mine.relied.size()));
  }
  return window;
}

}  // namespace

LinkAddress Window::resume() const {
  LinkAddress at = address;
  for (const Instruction& instruction : displaced) at = at + instruction.length;
  return at;
}

std::expected<Window, SiteRefusal> choose_window(const FunctionCode& code, LinkAddress pc,
                                                 const SiteContext& context) {
  const auto placed = find_site(code, pc, context.target);
  if (!placed) return std::unexpected(placed.error());
  auto one = one_instruction(code, **placed, context);
  if (one || (*placed)->instruction.length >= kJumpLength || !context.allow_eviction) return one;
  if (auto evicted = with_successor(code, **placed, context)) return std::move(*evicted);
  if (!context.allow_stop) return one;
  auto several = several_instructions(code, **placed, context);
  return several || one.error() != SiteRefusal::kOtherProbe ? several : one;
}

}  // namespace nohalt::inline_sites
