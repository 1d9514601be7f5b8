// Back from a return as long as instructions only fall through, nothing branches between
// them, and none writes a register that a value is returned in (rax, rdx, any vector
// register) or memory, where the rest of a value may be. The last one that does so serves too, if
// the probe runs when it has run: often it is the only one that is long enough for a jump, since
// what follows it in an epilogue are instructions of one byte.

#include "probes/engines/inline/sites/function_exits.h"

#include <algorithm>

namespace nohalt::inline_sites {
namespace {

constexpr std::int8_t kRsp = 4;
constexpr std::uint16_t kRspBit = 1U << 4;
constexpr std::uint16_t kRbpBit = 1U << 5;
constexpr std::uint16_t kReturnBits = 1U << 0 | 1U << 2;
constexpr std::size_t kMostSteps = 16;
constexpr std::int64_t kWord = 8;

bool is_rsp(const Operand& operand) {
  return operand.kind == Operand::Kind::kRegister && operand.size == 8 && operand.reg == kRsp;
}

// sub $imm, %rsp
std::optional<std::int64_t> subtracted(const Instruction& i) {
  const bool has_form = i.prefix_length == 1 && i.bytes[0] == 0x48 && i.operand_count == 2 &&
                        (i.opcode() == 0x83 || i.opcode() == 0x81) && is_rsp(i.operands[0]) &&
                        (i.bytes[i.modrm_offset] & 0x38) == 0x28;
  return has_form ? std::optional(i.operands[1].value) : std::nullopt;
}

// By how much the instruction moves rsp; nothing where that is not known.
std::optional<std::int64_t> stack_move(const Instruction& i) {
  if ((i.writes_general & kRspBit) == 0) return 0;
  const bool one_register = i.prefix_length <= 1 && i.length == i.prefix_length + 1 &&
                            (i.prefix_length == 0 || (i.bytes[0] & 0xf0) == 0x40);
  const std::uint8_t opcode = i.opcode();
  if (one_register && opcode >= 0x50 && opcode <= 0x57) return -kWord;
  if (one_register && opcode >= 0x58 && opcode <= 0x5f)
    return is_rsp(i.operands[0]) ? std::nullopt : std::optional(kWord);
  if (const auto by = subtracted(i)) return -*by;
  if (i.operand_count != 2 || !is_rsp(i.operands[0])) return std::nullopt;
  const Operand& from = i.operands[1];
  if (i.operation == Operation::kAdd && from.kind == Operand::Kind::kImmediate) return from.value;
  if (i.operation == Operation::kLea && from.base == kRsp && from.index == kNoRegister)
    return from.value;
  return std::nullopt;
}

bool is_leave(const Instruction& i) { return i.length == 1 && i.bytes[0] == 0xc9; }

// The frame before an instruction, from what it is behind it.
std::optional<FrameAt> before(const Instruction& i, FrameAt frame) {
  if (is_leave(i)) {
    // rsp becomes rbp + 8, whatever it was.
    if (frame.by_rbp) return std::nullopt;
    return FrameAt{true, frame.distance + kWord};
  }
  if (frame.by_rbp) return (i.writes_general & kRbpBit) == 0 ? std::optional(frame) : std::nullopt;
  const auto move = stack_move(i);
  if (!move) return std::nullopt;
  return FrameAt{false, frame.distance + *move};
}

bool writes_result(const Instruction& i) {
  return (i.writes_general & kReturnBits) != 0 || i.writes_vector || i.writes_memory ||
         i.has(Trait::kSystemCall) || i.has(Trait::kTrap);
}

const PlacedInstruction* instruction_before(const FunctionCode& code, LinkAddress address) {
  const auto all = code.instructions();
  const auto here = std::ranges::lower_bound(all, address, {}, &PlacedInstruction::address);
  if (here == all.begin()) return nullptr;
  const PlacedInstruction& found = *(here - 1);
  return found.certain && found.end() == address ? &found : nullptr;
}

std::uint64_t room_at(const FunctionCode& code, const ReturnSpot& spot) {
  return code.at(spot.pc)->instruction.length + code.padding_behind(spot.pc);
}

FunctionExit exit_at(const FunctionCode& code, const PlacedInstruction& last) {
  FunctionExit exit{last.address, {{last.address, false, {false, kWord}}}};
  ReturnSpot here = exit.spots.front();
  for (std::size_t step = 0; step < kMostSteps && code.all_branches_known(); ++step) {
    if (code.branches_into({here.pc, here.pc + 1})) break;
    const PlacedInstruction* placed = instruction_before(code, here.pc);
    if (placed == nullptr || placed->instruction.flow != Flow::kNext) break;
    const Instruction& instruction = placed->instruction;
    const bool is_free = !writes_result(instruction);
    const auto frame = before(instruction, here.frame);
    if (!is_free || !frame) {
      exit.spots.push_back({placed->address, true, here.frame});
      break;
    }
    here = {placed->address, false, *frame};
    exit.spots.push_back(here);
  }
  std::ranges::stable_sort(exit.spots, [&](const ReturnSpot& a, const ReturnSpot& b) {
    return std::min<std::uint64_t>(room_at(code, a), 5) >
           std::min<std::uint64_t>(room_at(code, b), 5);
  });
  return exit;
}

bool branches_back_to_entry(const FunctionCode& code) {
  return std::ranges::any_of(code.instructions(), [&](const PlacedInstruction& placed) {
    return placed.instruction.is_direct_branch() && placed.instruction.flow != Flow::kCall &&
           placed.target() == code.range().begin;
  });
}

}  // namespace

std::optional<FrameAt> frame_at_entry(const FunctionCode& code, LinkAddress site) {
  const LinkAddress entry = code.range().begin;
  if (site == entry) {
    if (branches_back_to_entry(code)) return std::nullopt;
    return FrameAt{false, kWord};
  }
  if (!code.all_branches_known() || branches_back_to_entry(code) ||
      code.branches_into({entry + 1, site + 1}))
    return std::nullopt;
  FrameAt frame{false, kWord};
  for (LinkAddress at = entry; at != site;) {
    const PlacedInstruction* placed = code.at(at);
    if (placed == nullptr || placed->instruction.flow != Flow::kNext || site < placed->end())
      return std::nullopt;
    const auto move = stack_move(placed->instruction);
    if (!move) return std::nullopt;
    frame.distance -= *move;
    at = placed->end();
  }
  return frame;
}

std::vector<FunctionExit> function_exits(const FunctionCode& code) {
  std::vector<FunctionExit> exits;
  for (const PlacedInstruction& placed : code.instructions())
    if (placed.certain && placed.instruction.flow == Flow::kReturn)
      exits.push_back(exit_at(code, placed));
  return exits;
}

std::size_t count_tail_calls(const FunctionCode& code, const std::vector<LinkRange>& parts) {
  const auto is_inside = [&](LinkAddress target) {
    return code.range().contains(target) ||
           std::ranges::any_of(parts, [&](const LinkRange& part) { return part.contains(target); });
  };
  return static_cast<std::size_t>(
      std::ranges::count_if(code.instructions(), [&](const PlacedInstruction& placed) {
        const Instruction& i = placed.instruction;
        if (i.flow == Flow::kIndirectJump)
          return i.rip_relative || code.has_unknown_indirect_jump();
        const bool jumps = i.flow == Flow::kJump || i.flow == Flow::kConditional;
        return jumps && !is_inside(placed.target());
      }));
}

}  // namespace nohalt::inline_sites
