// May one instruction run at another address? Judged from the instruction and
// from what is known of the target; where it would go does not matter here.
#pragma once

#include <optional>
#include <vector>

#include "probes/engines/inline/sites/instruction.h"
#include "probes/engines/inline/sites/refusal.h"
#include "src/base/address.h"

namespace nohalt::inline_sites {

// What a target does that narrows where it may be patched. The defaults are an
// ordinary program.
struct TargetTraits {
  bool handles_memory_faults = false;      // SIGSEGV or SIGBUS has a handler
  bool handles_arithmetic_faults = false;  // SIGFPE has a handler
  bool managed_stack = false;              // Go or split-stack code
  // Critical sections of restartable sequences ([start_ip, start_ip + length)
  // of each rseq_cs), link-time addresses of the file in question.
  std::vector<LinkRange> restartable_sequences;
};

// Nothing where it may.
[[nodiscard]] std::optional<SiteRefusal> why_not_displaceable(const Instruction& instruction,
                                                              const TargetTraits& target);

}  // namespace nohalt::inline_sites
