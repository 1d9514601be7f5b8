// One rule for each kind of instruction:
//  - Most are copied. A RIP-relative operand gets its distance corrected.
//  - Direct jumps and conditional jumps become their 32-bit forms.
//  - loop and jrcxz have only 8-bit distances: they branch to a jump close by.
//  - A call pushes the *original* return address (one push from memory, so that
//    no signal sees half of it) and jumps. The callee, an unwinder and a
//    backtrace see what they always saw, and the call returns straight to the
//    original code. An operand relative to rsp has moved by the pushed word.
// Returns are copied: they have no distance.

#include "probes/engines/inline/relocate/relocate.h"

#include <algorithm>
#include <array>
#include <limits>

#include "probes/engines/inline/relocate/emitter.h"

namespace nohalt::inline_relocate {
namespace {

using inline_sites::Flow;
using inline_sites::Instruction;
using inline_sites::Operand;
using inline_sites::SiteRefusal;

constexpr std::size_t kLargestOne = 32;    // an emulated call through literals, with prefixes
constexpr std::size_t kFinalJump = 6 + 8;  // through a literal
constexpr std::int8_t kRsp = 4;
constexpr std::int32_t kPushed = 8;

class Relocator {
 public:
  Relocator(RuntimeAddress original, RuntimeAddress destination)
      : emitter_(destination), destination_(destination), at_(original) {}

  [[nodiscard]] std::expected<void, SiteRefusal> add(const Instruction& instruction);
  [[nodiscard]] Relocation finish(bool goes_on) &&;

 private:
  [[nodiscard]] RuntimeAddress target(const Instruction& instruction) const {
    return at_ + instruction.length + static_cast<std::uint64_t>(instruction.relative);
  }
  std::expected<void, SiteRefusal> copy(const Instruction& instruction,
                                        std::array<std::uint8_t, 15> bytes);
  std::expected<void, SiteRefusal> call_indirect(const Instruction& instruction);
  void jump_through_moved_stack(const Instruction& instruction);
  void counted(const Instruction& instruction);
  void conditional(const Instruction& instruction);

  Emitter emitter_;
  RuntimeAddress destination_;
  RuntimeAddress at_;
  std::vector<std::size_t> starts_;
};

std::expected<void, SiteRefusal> Relocator::copy(const Instruction& instruction,
                                                 std::array<std::uint8_t, 15> bytes) {
  const auto code = std::span(bytes).first(instruction.length);
  if (!instruction.rip_relative) {
    emitter_.bytes(code);
    return {};
  }
  const RuntimeAddress end = emitter_.here() + instruction.length;
  if (!reaches(end, target(instruction))) {
    return std::unexpected(SiteRefusal::kRelocationOutOfReach);
  }
  const std::size_t displacement = instruction.modrm_offset + 1U;
  emitter_.bytes(code.first(displacement));
  emitter_.dword(static_cast<std::int32_t>(target(instruction) - end));
  emitter_.bytes(code.subspan(displacement + 4));
  return {};
}

// `call *disp(%rsp)` after its push: the same word is 8 further up.
void Relocator::jump_through_moved_stack(const Instruction& instruction) {
  emitter_.bytes(instruction.code().first(instruction.modrm_offset));
  emitter_.byte(0xa4);  // mod 10 (32-bit displacement), /4 (jump), rm 100 (SIB follows)
  emitter_.byte(instruction.bytes[instruction.modrm_offset + 1U]);
  emitter_.dword(static_cast<std::int32_t>(instruction.operands[0].value) + kPushed);
}

std::expected<void, SiteRefusal> Relocator::call_indirect(const Instruction& instruction) {
  emitter_.push_constant((at_ + instruction.length).value);
  const Operand& through = instruction.operands[0];
  if (through.kind == Operand::Kind::kMemory && through.base == kRsp) {
    jump_through_moved_stack(instruction);
    return {};
  }
  auto bytes = instruction.bytes;
  std::uint8_t& modrm = bytes[instruction.modrm_offset];
  modrm = static_cast<std::uint8_t>((modrm & 0xc7) | 0x20);  // /2 (call) becomes /4 (jump)
  return copy(instruction, bytes);
}

void Relocator::counted(const Instruction& instruction) {
  emitter_.bytes(instruction.code().first(instruction.length - 1U));
  emitter_.byte(2);  // taken: over the short jump
  const bool near = reaches(emitter_.here() + 7, target(instruction));
  emitter_.byte(0xeb);
  emitter_.byte(near ? 5 : 6);
  emitter_.jump(target(instruction));
}

void Relocator::conditional(const Instruction& instruction) {
  const std::uint8_t opcode = instruction.opcode() == 0x0f
                                  ? instruction.bytes[instruction.prefix_length + 1U]
                                  : instruction.opcode();
  emitter_.jump_if(opcode & 0x0f, target(instruction));
}

std::expected<void, SiteRefusal> Relocator::add(const Instruction& instruction) {
  std::expected<void, SiteRefusal> done;
  starts_.push_back(emitter_.here() - destination_);
  switch (instruction.flow) {
    case Flow::kJump:
      emitter_.jump(target(instruction));
      break;
    case Flow::kConditional:
      conditional(instruction);
      break;
    case Flow::kCounted:
      counted(instruction);
      break;
    case Flow::kCall:
      emitter_.push_constant((at_ + instruction.length).value);
      emitter_.jump(target(instruction));
      break;
    case Flow::kIndirectCall:
      done = call_indirect(instruction);
      break;
    default:
      done = copy(instruction, instruction.bytes);
      break;
  }
  at_ = at_ + instruction.length;
  return done;
}

Relocation Relocator::finish(bool goes_on) && {
  if (goes_on) emitter_.jump(at_);
  Relocation out;
  out.bytes = std::move(emitter_).finish();
  out.starts = std::move(starts_);
  return out;
}

bool calls(const Instruction& instruction) {
  return instruction.flow == Flow::kCall || instruction.flow == Flow::kIndirectCall;
}

}  // namespace

std::expected<Relocation, SiteRefusal> relocate(std::span<const Instruction> displaced,
                                                RuntimeAddress original, RuntimeAddress destination,
                                                bool goes_back) {
  Relocator relocator(original, destination);
  bool goes_on = true;
  for (const Instruction& instruction : displaced) {
    if (!goes_on) return std::unexpected(SiteRefusal::kCallNotLast);
    if (const auto added = relocator.add(instruction); !added) {
      return std::unexpected(added.error());
    }
    goes_on = instruction.falls_through() && !calls(instruction);
  }
  return std::move(relocator).finish(goes_on && goes_back);
}

std::size_t largest_relocation(std::span<const Instruction> displaced) {
  return displaced.size() * kLargestOne + kFinalJump;
}

std::optional<RuntimeRange> relocation_reach(std::span<const Instruction> displaced,
                                             RuntimeAddress original) {
  constexpr auto kReach = static_cast<std::uint64_t>(std::numeric_limits<std::int32_t>::max());
  const std::uint64_t margin = largest_relocation(displaced);
  RuntimeRange reach{{0}, {std::uint64_t{1} << 47}};
  RuntimeAddress at = original;
  for (const Instruction& instruction : displaced) {
    at = at + instruction.length;
    if (!instruction.rip_relative) continue;
    const std::uint64_t operand = at.value + static_cast<std::uint64_t>(instruction.relative);
    const std::uint64_t first = operand > kReach ? operand - kReach : 0;
    reach.begin = std::max(reach.begin, RuntimeAddress{first});
    reach.end = std::min(reach.end, RuntimeAddress{operand + kReach - margin});
  }
  if (!(reach.begin < reach.end)) return std::nullopt;
  return reach;
}

}  // namespace nohalt::inline_relocate
