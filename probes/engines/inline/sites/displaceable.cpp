// The rules of docs/architecture.md on what is never moved, in the order in
// which a reader would want to hear of them.

#include "probes/engines/inline/sites/displaceable.h"

#include <array>
#include <utility>

namespace nohalt::inline_sites {
namespace {

constexpr std::int8_t kRsp = 4;

// An emulated call pushes before it jumps, so an operand below or at the pushed
// word would be overwritten first, and a target in rsp itself would move.
bool call_reads_below_stack(const Instruction& instruction) {
  if (instruction.flow != Flow::kIndirectCall || instruction.operand_count == 0) return false;
  const Operand& operand = instruction.operands[0];
  if (operand.kind == Operand::Kind::kRegister) return operand.reg == kRsp;
  return operand.base == kRsp && (operand.value < 0 || operand.index != kNoRegister);
}

std::optional<SiteRefusal> by_trait(const Instruction& instruction) {
  using enum SiteRefusal;
  constexpr std::array kRules = {
      std::pair{Trait::kSystemCall, kSystemCall},
      std::pair{Trait::kTrap, kTrap},
      std::pair{Trait::kFarTransfer, kFarTransfer},
      std::pair{Trait::kExceptionMasking, kExceptionMasking},
      std::pair{Trait::kPrivileged, kPrivileged},
      std::pair{Trait::kTransaction, kTransaction},
      std::pair{Trait::kEvex, kEvex},
      std::pair{Trait::kLock, kLock},
      std::pair{Trait::kOddBranch, kOddBranch},
      std::pair{Trait::kShadowStack, kShadowStackPointer},
  };
  for (const auto& [trait, refusal] : kRules) {
    if (instruction.has(trait)) return refusal;
  }
  return std::nullopt;
}

}  // namespace

std::optional<SiteRefusal> why_not_displaceable(const Instruction& instruction,
                                                const TargetTraits& target) {
  if (const auto refusal = by_trait(instruction)) return refusal;
  if (call_reads_below_stack(instruction)) return SiteRefusal::kStackOperand;
  if (instruction.memory != MemoryUse::kNone && target.handles_memory_faults) {
    return SiteRefusal::kMemoryFaultHandler;
  }
  if (instruction.has(Trait::kArithmeticFault) && target.handles_arithmetic_faults) {
    return SiteRefusal::kArithmeticFaultHandler;
  }
  return std::nullopt;
}

}  // namespace nohalt::inline_sites
