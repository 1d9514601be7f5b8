// The two shapes, in straight-line code (other instructions may stand between):
//
//   position independent                    absolute
//     cmp  $last, index                       cmp $last, index
//     ja   default                            ja  default
//     lea  table(%rip), base                  jmp *table(, index, 8)
//     movslq (base, index, 4), sum
//     add  base, sum
//     jmp  *sum
//
// Read backwards from the jump, each step asks "which instruction wrote this
// register last". The walk ends, without proof, at any branch target or any
// branch other than the bound check: only then is "last in the text" also
// "last in time". (A base loaded before the check is found, as the check falls
// through; a base loaded outside a loop is not, and the jump counts as unknown.)

#include "probes/engines/inline/sites/jump_table.h"

#include <algorithm>
#include <cstring>

namespace nohalt::inline_sites {
namespace {

constexpr std::size_t kMaxSteps = 40;
constexpr std::uint64_t kMaxEntries = 4096;

class Backwards {
 public:
  Backwards(std::span<const PlacedInstruction> instructions, std::size_t jump,
            std::span<const LinkAddress> targets)
      : instructions_(instructions), targets_(targets) {
    first_ = jump;
    while (first_ > 0 && jump - first_ < kMaxSteps && extends_to(first_ - 1)) --first_;
  }

  [[nodiscard]] const Instruction& get(std::size_t i) const { return instructions_[i].instruction; }
  [[nodiscard]] const PlacedInstruction& placed(std::size_t i) const { return instructions_[i]; }

  // The last instruction before `before` that writes the register.
  [[nodiscard]] std::optional<std::size_t> last_writer(std::int8_t reg, std::size_t before) const {
    for (std::size_t i = before; i > first_; --i) {
      if ((get(i - 1).writes_general >> reg) & 1U) return i - 1;
    }
    return std::nullopt;
  }

  // How many entries the bound check before `before` lets through for the
  // operand that ends in `index`.
  [[nodiscard]] std::optional<std::uint64_t> bound_of(std::int8_t index, std::size_t before) const;

 private:
  // Whether control comes to i + 1 only from i.
  [[nodiscard]] bool extends_to(std::size_t i) const {
    const PlacedInstruction& next = instructions_[i + 1];
    if (instructions_[i].end() != next.address) return false;
    if (std::binary_search(targets_.begin(), targets_.end(), next.address)) return false;
    const Instruction& instruction = get(i);
    return instruction.flow == Flow::kNext || instruction.flow == Flow::kConditional;
  }

  std::span<const PlacedInstruction> instructions_;
  std::span<const LinkAddress> targets_;
  std::size_t first_;
};

bool is_register(const Operand& operand, std::int8_t reg) {
  return operand.kind == Operand::Kind::kRegister && operand.reg == reg;
}

bool same_place(const Operand& a, const Operand& b) {
  if (a.kind != b.kind) return false;
  if (a.kind == Operand::Kind::kRegister) return a.reg == b.reg;
  return a.base == b.base && a.index == b.index && a.scale == b.scale && a.value == b.value &&
         a.segment == b.segment;
}

bool writes(const Instruction& step, std::int8_t reg) {
  return reg >= 0 && reg < 16 && ((step.writes_general >> reg) & 1U) != 0;
}

// True where the value at `place` may differ after `step`.
bool disturbs(const Instruction& step, const Operand& place) {
  if (place.kind == Operand::Kind::kRegister) return writes(step, place.reg);
  return step.writes_memory || writes(step, place.base) || writes(step, place.index);
}

bool keeps_flags(const Instruction& step) {
  return step.operation == Operation::kMove || step.operation == Operation::kMoveZeroExtend ||
         step.operation == Operation::kMoveSignExtend || step.operation == Operation::kLea ||
         step.operation == Operation::kNop;
}

// The bound that `step` itself puts on `place`: `cmp $last` under an `ja` that
// is already seen, or `and $mask`.
std::optional<std::uint64_t> bound_by(const Instruction& step, const Operand& place,
                                      bool above_seen) {
  const Operand& limit = step.operands[1];
  if (limit.kind != Operand::Kind::kImmediate || limit.value < 0 ||
      !same_place(step.operands[0], place) ||
      step.operands[0].size < std::min<std::uint8_t>(place.size, 4)) {
    return std::nullopt;
  }
  const bool compared = step.operation == Operation::kCompare && above_seen;
  const bool masked = step.operation == Operation::kAnd && place.kind == Operand::Kind::kRegister;
  if (!compared && !masked) return std::nullopt;
  return static_cast<std::uint64_t>(limit.value) + 1;
}

// Where the value came from, if `step` only copies or widens it.
std::optional<Operand> copied_from(const Instruction& step, const Operand& place) {
  const Operand& from = step.operands[1];
  const bool copies = (step.operation == Operation::kMove && step.operands[0].size >= 4) ||
                      step.operation == Operation::kMoveZeroExtend;
  if (!copies || !same_place(step.operands[0], place)) return std::nullopt;
  const bool register_known = from.kind == Operand::Kind::kRegister && from.reg >= 0;
  if (!register_known && from.kind != Operand::Kind::kMemory) return std::nullopt;
  return from;
}

std::optional<std::uint64_t> Backwards::bound_of(std::int8_t index, std::size_t before) const {
  Operand place;
  place.kind = Operand::Kind::kRegister;
  place.reg = index;
  place.size = 4;
  bool above_seen = false;
  for (std::size_t i = before; i > first_; --i) {
    const Instruction& step = get(i - 1);
    if (step.flow == Flow::kConditional) {
      // Only the nearest check counts: flags further up belong to another one.
      if (above_seen) return std::nullopt;
      above_seen = step.operation == Operation::kJumpAbove;
      continue;
    }
    if (const auto bound = bound_by(step, place, above_seen)) return bound;
    if (above_seen && !keeps_flags(step)) return std::nullopt;
    if (!disturbs(step, place)) continue;
    const auto from = copied_from(step, place);
    if (!from) return std::nullopt;
    place = *from;
  }
  return std::nullopt;
}

std::optional<JumpTable> absolute_table(const Backwards& code, const Operand& slot,
                                        std::size_t at) {
  if (slot.base != kNoRegister || slot.index < 0 || slot.index > 15 || slot.scale != 8 ||
      slot.segment || slot.value <= 0) {
    return std::nullopt;
  }
  const auto entries = code.bound_of(slot.index, at);
  if (!entries) return std::nullopt;
  return JumpTable{{static_cast<std::uint64_t>(slot.value)}, *entries, false};
}

std::optional<JumpTable> relative_table(const Backwards& code, std::int8_t sum, std::size_t jump) {
  const auto add = code.last_writer(sum, jump);
  if (!add || code.get(*add).operation != Operation::kAdd) return std::nullopt;
  const Operand& added = code.get(*add).operands[1];
  if (!is_register(code.get(*add).operands[0], sum) || added.kind != Operand::Kind::kRegister ||
      added.reg < 0 || added.reg > 15) {
    return std::nullopt;
  }
  // Either side of the sum may be the loaded distance.
  for (const auto& [distance, base] : {std::pair{sum, added.reg}, std::pair{added.reg, sum}}) {
    const auto load = code.last_writer(distance, *add);
    const auto lea = code.last_writer(base, load.value_or(*add));
    if (!load || !lea) continue;
    if (code.last_writer(base, *add) != lea && base != distance) continue;
    const Instruction& loading = code.get(*load);
    const Operand& slot = loading.operands[1];
    if (loading.operation != Operation::kMoveSignExtend || slot.kind != Operand::Kind::kMemory ||
        slot.base != base || slot.scale != 4 || slot.index < 0 || slot.index > 15 ||
        slot.value != 0 || slot.size != 4) {
      continue;
    }
    if (code.get(*lea).operation != Operation::kLea || !code.get(*lea).rip_relative) continue;
    const auto entries = code.bound_of(slot.index, *load);
    if (entries) return JumpTable{code.placed(*lea).target(), *entries, true};
  }
  return std::nullopt;
}

}  // namespace

std::optional<JumpTable> find_jump_table(std::span<const PlacedInstruction> instructions,
                                         std::size_t jump, std::span<const LinkAddress> targets) {
  const Backwards code(instructions, jump, targets);
  const Operand& through = code.get(jump).operands[0];
  std::optional<JumpTable> table;
  if (through.kind == Operand::Kind::kMemory) {
    table = absolute_table(code, through, jump);
  } else if (through.kind == Operand::Kind::kRegister && through.reg >= 0 && through.reg < 16) {
    const auto writer = code.last_writer(through.reg, jump);
    if (!writer) return std::nullopt;
    const Instruction& writing = code.get(*writer);
    table =
        writing.operation == Operation::kMove && writing.operands[1].kind == Operand::Kind::kMemory
            ? absolute_table(code, writing.operands[1], *writer)
            : relative_table(code, through.reg, jump);
  }
  if (table && table->entries > kMaxEntries) return std::nullopt;
  return table;
}

std::optional<std::vector<LinkAddress>> read_jump_table(const JumpTable& table,
                                                        const ReadData& read_data) {
  if (!read_data) return std::nullopt;
  const std::size_t entry = table.relative ? 4 : 8;
  std::vector<std::uint8_t> data(table.entries * entry);
  if (!read_data(table.address, data)) return std::nullopt;
  std::vector<LinkAddress> targets;
  targets.reserve(table.entries);
  for (std::size_t at = 0; at < data.size(); at += entry) {
    if (table.relative) {
      std::int32_t distance = 0;
      std::memcpy(&distance, &data[at], sizeof distance);
      targets.push_back(table.address + static_cast<std::uint64_t>(std::int64_t{distance}));
    } else {
      std::uint64_t address = 0;
      std::memcpy(&address, &data[at], sizeof address);
      targets.push_back({address});
    }
  }
  return targets;
}

}  // namespace nohalt::inline_sites
