// Loads and stores: where they may go, and how a load is proven not to fault.
#include <algorithm>

#include "probes/engines/inline/translate/machine_checker.h"

namespace nohalt::inline_translate {
namespace {

using Kind = MachineValue::Kind;

// a - b as the machine reckons: numbers wrap, and so do what is added to them.
std::uint64_t difference(std::int64_t a, std::int64_t b) {
  return static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b);
}

}  // namespace

void MachineChecker::note_context_word(std::size_t offset) {
  constexpr std::size_t kXmm = offsetof(runtime::HitContext, xmm);
  if (offset < kXmm)
    facts_.registers |= 1U << offset / sizeof(std::uint64_t);
  else
    facts_.xmm_count =
        std::max(facts_.xmm_count, static_cast<std::uint32_t>((offset - kXmm) / 16 + 1));
}

void MachineChecker::note_changed(Reg reg) {
  using runtime::SavedRegisters;
  constexpr std::size_t kPlaces[] = {offsetof(SavedRegisters, r8), offsetof(SavedRegisters, r9),
                                     offsetof(SavedRegisters, r10), offsetof(SavedRegisters, r11)};
  note_context_word(kPlaces[static_cast<std::size_t>(reg) - static_cast<std::size_t>(Reg::kR8)]);
}

Broken MachineChecker::load(const MachineInstruction& i, MachineValue& value) {
  const MachineOperand& memory = i.operands[1];
  const MachineValue from = moved(state_[memory.reg], memory.value);
  const std::int64_t size = memory.size;
  switch (from.kind) {
    case Kind::kContext: {
      const bool general = runtime::is_saved_register(static_cast<std::uint64_t>(from.offset));
      const bool vector = limits_.has_xmm &&
                          from.offset >= std::int64_t{offsetof(runtime::HitContext, xmm)} &&
                          from.offset + size <= std::int64_t{sizeof(runtime::HitContext)};
      if (size != 8 || from.offset % 8 != 0 || (!general && !vector)) return "context-load";
      note_context_word(static_cast<std::size_t>(from.offset));
      if (from.offset == std::int64_t{offsetof(runtime::SavedRegisters, rsp)})
        value = {Kind::kNumber, kHitRspSymbol, 0};
      return std::nullopt;
    }
    case Kind::kStack:
      if (from.offset < state_[Reg::kRsp].offset || from.offset + size > ceiling())
        return "stack-load";
      return std::nullopt;
    default:
      if (!proven_mapped(from, size)) return "load-not-proven-mapped";
      return std::nullopt;
  }
}

bool MachineChecker::has_fact(MachineFact::Kind kind, const MachineValue& of) const {
  return std::ranges::find(state_.facts, MachineFact{kind, of.symbol, of.offset}) !=
         state_.facts.end();
}

// Whether bytes at or before the first and at or after the last are in the one
// page, less than a page apart: then so is all between.
bool MachineChecker::in_page(const MachineValue& from, std::int64_t size) const {
  const auto is_about = [&](const MachineFact& fact) {
    return fact.kind == MachineFact::Kind::kInPage && fact.symbol == from.symbol;
  };
  for (const MachineFact& low : state_.facts)
    for (const MachineFact& high : state_.facts) {
      if (!is_about(low) || !is_about(high)) continue;
      const std::uint64_t lead = difference(from.offset, low.offset);
      const std::uint64_t span = difference(high.offset, low.offset);
      if (lead < kPageSize && span < kPageSize &&
          lead + static_cast<std::uint64_t>(size - 1) <= span)
        return true;
    }
  return false;
}

bool MachineChecker::proven_mapped(const MachineValue& base, std::int64_t size) const {
  if (base.kind == Kind::kConstant) {
    const auto address = static_cast<std::uint64_t>(base.offset);
    const bool is_static = std::ranges::any_of(surroundings_.static_ranges, [&](const auto& range) {
      return address >= range.begin && address < range.end &&
             static_cast<std::uint64_t>(size) <= range.end - address;
    });
    if (is_static) return true;
  }
  const MachineValue from = as_number(base);
  if (from.kind != Kind::kNumber) return false;
  if (in_page(from, size)) return true;
  constexpr auto kBelow = static_cast<std::int64_t>(kRedZone);
  return from.symbol == kHitRspSymbol && from.offset >= -kBelow && from.offset <= -size;
}

Broken MachineChecker::may_write(const MachineValue& to, std::int64_t size) const {
  if (to.kind == Kind::kRecord) {
    if (to.offset < 0 || to.offset + size > std::int64_t{limits_.record_size})
      return "store-outside-record";
    return std::nullopt;
  }
  if (to.kind != Kind::kStack) return "store-elsewhere";
  if (to.offset < state_[Reg::kRsp].offset || to.offset + size > ceiling())
    return "store-outside-frame";
  return std::nullopt;
}

Broken MachineChecker::store(const MachineInstruction& i) {
  const MachineOperand& memory = i.operands[0];
  const MachineOperand& from = i.operands[1];
  if (from.is_register() && is_pointer_like(state_[from.reg])) return "pointer-stored";
  return may_write(moved(state_[memory.reg], memory.value), memory.size);
}

}  // namespace nohalt::inline_translate
