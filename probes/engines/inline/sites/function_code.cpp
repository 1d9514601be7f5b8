// Linear decoding with resynchronisation at the starts that the compiler names,
// then a walk along control flow that marks which starts are certain, then
// branch targets, jump tables last: a table is proven only while no branch
// leads between its bound check and its jump, and each table adds branches, so
// proofs are repeated until nothing changes.

#include "probes/engines/inline/sites/function_code.h"

#include <algorithm>

#include "probes/engines/inline/sites/jump_table.h"

namespace nohalt::inline_sites {
namespace {

constexpr std::uint64_t kTailBytes = 16;  // a jump and its prefixes may read past the end
constexpr std::uint8_t kInt3 = 0xcc;

bool is_padding(const Instruction& instruction) {
  return instruction.operation == Operation::kNop ||
         (instruction.length == 1 && instruction.bytes[0] == kInt3);
}

// endbr64, which is decoded as doing nothing: something may well branch there.
bool is_landing_mark(const Instruction& instruction) {
  return instruction.length == 4 && instruction.bytes[0] == 0xf3 && instruction.bytes[1] == 0x0f &&
         instruction.bytes[2] == 0x1e;
}

// Through a word at a fixed place it is a tail call, as through the linker's table.
bool is_indirect_jump_within(const Instruction& instruction) {
  return instruction.flow == Flow::kIndirectJump && !instruction.rip_relative;
}

}  // namespace

FunctionCode FunctionCode::decode(const FunctionInput& input) {
  FunctionCode code;
  code.range_ = input.range;
  const LinkAddress text_end = input.text_address + input.text.size();
  if (input.range.begin < input.text_address || text_end < input.range.end ||
      !(input.range.begin < input.range.end)) {
    code.range_.end = code.range_.begin;
    return code;
  }
  const std::uint64_t offset = input.range.begin - input.text_address;
  const std::uint64_t size =
      std::min<std::uint64_t>(input.range.size() + kTailBytes, input.text.size() - offset);
  const auto bytes = input.text.subspan(offset, size);
  code.bytes_.assign(bytes.begin(), bytes.end());
  std::vector<LinkAddress> known = input.known_starts;
  known.push_back(input.range.begin);
  std::sort(known.begin(), known.end());
  code.decode_linearly(known);
  code.mark_certain(known);
  code.collect_direct_targets(input.branch_targets);
  code.prove_jump_tables(input.read_data);
  code.may_be_entered_elsewhere_ = input.may_be_entered_elsewhere;
  return code;
}

std::vector<LinkAddress> FunctionCode::branches_out() const {
  std::vector<LinkAddress> found;
  for (const PlacedInstruction& placed : instructions_)
    if (placed.instruction.is_direct_branch() && !range_.contains(placed.target()))
      found.push_back(placed.target());
  return found;
}

bool FunctionCode::has_indirect_jump() const {
  return std::ranges::any_of(instructions_, [](const PlacedInstruction& placed) {
    return is_indirect_jump_within(placed.instruction) ||
           placed.instruction.has(Trait::kTransaction);
  });
}

void FunctionCode::decode_linearly(std::span<const LinkAddress> known_starts) {
  complete_ = true;
  LinkAddress at = range_.begin;
  while (at < range_.end) {
    const auto next_known = std::upper_bound(known_starts.begin(), known_starts.end(), at);
    const LinkAddress limit =
        next_known == known_starts.end() ? range_.end : std::min(*next_known, range_.end);
    const auto found = nohalt::inline_sites::decode(bytes_from(at));
    if (found && at + found->length <= limit) {
      instructions_.push_back({at, *found, false});
      at = at + found->length;
    } else {
      complete_ = false;
      at = limit;
    }
  }
  complete_ = complete_ && ends_properly();
}

bool FunctionCode::ends_properly() const {
  auto last = instructions_.rbegin();
  while (last != instructions_.rend() && is_padding(last->instruction)) ++last;
  if (last == instructions_.rend()) return false;
  const Flow flow = last->instruction.flow;
  return !last->instruction.falls_through() || flow == Flow::kCall || flow == Flow::kIndirectCall;
}

// Walks from every known start along fall-through and direct branches.
void FunctionCode::mark_certain(std::span<const LinkAddress> known_starts) {
  std::vector<LinkAddress> work(known_starts.begin(), known_starts.end());
  while (!work.empty()) {
    std::size_t i = index_of(work.back());
    work.pop_back();
    for (; i < instructions_.size() && !instructions_[i].certain; ++i) {
      PlacedInstruction& placed = instructions_[i];
      placed.certain = true;
      const Instruction& instruction = placed.instruction;
      if (instruction.is_direct_branch() && range_.contains(placed.target())) {
        work.push_back(placed.target());
      }
      if (!instruction.falls_through()) break;
      // A gap follows: what control finds there did not decode.
      if (i + 1 < instructions_.size() && instructions_[i + 1].address != placed.end()) break;
    }
  }
  if (!complete_) return;
  for (PlacedInstruction& placed : instructions_) placed.certain = true;
}

void FunctionCode::collect_direct_targets(std::span<const LinkAddress> others) {
  targets_.push_back(range_.begin);
  for (const LinkAddress other : others) {
    if (range_.contains(other)) targets_.push_back(other);
  }
  for (const PlacedInstruction& placed : instructions_) {
    if (!placed.instruction.is_direct_branch()) continue;
    if (range_.contains(placed.target())) targets_.push_back(placed.target());
  }
  std::sort(targets_.begin(), targets_.end());
  targets_.erase(std::unique(targets_.begin(), targets_.end()), targets_.end());
}

bool FunctionCode::add_target(LinkAddress target) {
  const auto place = std::lower_bound(targets_.begin(), targets_.end(), target);
  if (place != targets_.end() && *place == target) return false;
  targets_.insert(place, target);
  return true;
}

void FunctionCode::prove_jump_tables(const ReadData& read_data) {
  bool changed = true;
  while (changed) {
    changed = false;
    unknown_indirect_jump_ = false;
    for (std::size_t i = 0; i < instructions_.size(); ++i) {
      const Instruction& jump = instructions_[i].instruction;
      // Aborts of a transaction lead to a place that is not looked for.
      if (jump.has(Trait::kTransaction)) unknown_indirect_jump_ = true;
      if (!is_indirect_jump_within(jump)) continue;
      const auto table = find_jump_table(instructions_, i, targets_);
      const auto targets = table ? read_jump_table(*table, read_data) : std::nullopt;
      if (!targets) {
        unknown_indirect_jump_ = true;
        continue;
      }
      for (const LinkAddress target : *targets) {
        if (range_.contains(target) && add_target(target)) changed = true;
      }
    }
  }
}

std::size_t FunctionCode::index_of(LinkAddress address) const {
  const auto place = std::lower_bound(
      instructions_.begin(), instructions_.end(), address,
      [](const PlacedInstruction& placed, LinkAddress a) { return placed.address < a; });
  if (place == instructions_.end() || place->address != address) return instructions_.size();
  return static_cast<std::size_t>(place - instructions_.begin());
}

const PlacedInstruction* FunctionCode::at(LinkAddress address) const {
  const std::size_t i = index_of(address);
  return i < instructions_.size() && instructions_[i].certain ? &instructions_[i] : nullptr;
}

std::span<const std::uint8_t> FunctionCode::bytes_from(LinkAddress address) const {
  if (address < range_.begin || bytes_.size() <= address - range_.begin) return {};
  return std::span(bytes_).subspan(address - range_.begin);
}

std::uint64_t FunctionCode::padding_behind(LinkAddress address) const {
  constexpr std::uint64_t kAlignment = 16;
  const PlacedInstruction* placed = at(address);
  if (placed == nullptr || placed->instruction.falls_through() || !all_branches_known()) return 0;
  LinkAddress next = placed->end();
  std::uint64_t within = 0;
  while (next.value % kAlignment != 0) {
    if (range_.contains(next) && branches_into({next, next + 1})) break;
    const auto found = nohalt::inline_sites::decode(bytes_from(next));
    const bool pads = found && is_padding(*found) && !is_landing_mark(*found);
    // What stands before a boundary is padding only where it goes on to there.
    if (!pads && next < range_.end) break;
    if (!pads) return within;
    next = next + found->length;
    if (next <= range_.end) within = next - placed->end();
  }
  return next - placed->end();
}

bool FunctionCode::branches_into(LinkRange range) const {
  const auto first = std::lower_bound(targets_.begin(), targets_.end(), range.begin);
  return first != targets_.end() && *first < range.end;
}

}  // namespace nohalt::inline_sites
