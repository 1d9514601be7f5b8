// An alternative must be run exactly when the first instruction is: every
// instruction between only falls through (a call may not come back), and no
// branch leads in between, which takes the whole function to know, with the parts
// that the compiler put elsewhere. It must also
// see the same memory, so nothing between may store.

#include "probes/engines/inline/sites/alternatives.h"

#include <algorithm>

namespace nohalt::inline_sites {

std::vector<Alternative> alternative_sites(const FunctionCode& code, LinkAddress first,
                                           std::span<const LinkRange> statement) {
  std::vector<Alternative> found;
  if (!code.all_branches_known()) return found;
  const auto in_statement = [&](LinkAddress pc) {
    return std::any_of(statement.begin(), statement.end(),
                       [&](const LinkRange& range) { return range.contains(pc); });
  };
  Alternative next;
  for (const PlacedInstruction* placed = code.at(first); placed != nullptr;
       placed = code.at(placed->end())) {
    const Instruction& instruction = placed->instruction;
    if (placed->address != first) {
      if (code.branches_into({placed->address, placed->address + 1})) break;
      if (!in_statement(placed->address)) break;
      next.pc = placed->address;
      found.push_back(next);
    }
    if (instruction.flow != Flow::kNext || instruction.writes_memory) break;
    if (instruction.has(Trait::kSystemCall) || instruction.has(Trait::kTrap)) break;
    next.general_written =
        static_cast<std::uint16_t>(next.general_written | instruction.writes_general);
    next.vector_written = next.vector_written || instruction.writes_vector;
  }
  return found;
}

}  // namespace nohalt::inline_sites
