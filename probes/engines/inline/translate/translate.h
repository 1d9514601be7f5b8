// From a capture program to x86-64.
//
// A body is a function: rdi points to the HitContext (and rsi to the record's body,
// where the hit is admitted before), rax is the Outcome when it returns; it keeps rbx, rbp, rsp and
// r12 to r15 and clobbers the other general registers and the flags; no other register is touched.
// It calls the runtime's entries and nothing else.
//
// Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "probes/engines/inline/translate/surroundings.h"
#include "probes/program/program.h"
#include "probes/program/verifier.h"
#include "src/base/result.h"

namespace nohalt::inline_translate {

struct TranslatedBody {
  std::vector<std::byte> code;  // for Surroundings::load_address only
  // Stack below the body's return address, without what the runtime takes below that.
  std::uint32_t stack_bytes = 0;
  program::Cost cost;
  // What it reads of the context: see BodyFacts.
  std::uint32_t registers = 0;
  std::uint32_t xmm_count = 0;
  bool calls_runtime = false;
  // The program begins with the token and the slot, and leaves at once without: the
  // body begins behind them, and is not called for a hit that has not both.
  bool is_admitted = false;
};

// Verifies the program, translates it, and checks the machine code that came
// out; a body that exists passed both.
[[nodiscard]] Result<TranslatedBody> translate(const program::Program& program,
                                               const Surroundings& surroundings);

}  // namespace nohalt::inline_translate
