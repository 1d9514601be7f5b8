// Holds the machine code of a body against what it may do, from its bytes alone
// and without trusting the translator or the verifier (it shares no code with
// either). A body that passes, called with a HitContext on the stack and runtime
// entries that keep their contract:
//  - stores only to its own frame and, between a reserve that gave a record and
//    its release, to that record's body; and lets the runtime write only there;
//  - loads only from its frame, the context's registers, and memory proven
//    mapped: the frame of the hit, the page below rsp, ranges that cannot go;
//  - runs forward only, calls only runtime entries with the context in rdi, and
//    reserves only with a granted token, at most once, leaving no record behind;
//  - cannot trap: no division that could, no unlisted instruction;
//  - returns to its caller with the registers that the ABI promises.
//
// Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "probes/engines/inline/translate/surroundings.h"
#include "src/base/result.h"

namespace nohalt::inline_translate {

struct BodyLimits {
  std::uint32_t record_size = 0;
  bool has_xmm = false;      // the context includes the xmm array
  bool is_admitted = false;  // it is called with a granted token, and the record in rsi
};

struct BodyFacts {
  std::uint32_t stack_bytes = 0;  // below the body's return address, callees' not included
  std::uint32_t instructions = 0;
  // Bit i: loads word i of runtime::SavedRegisters, or changes that register where
  // it is one of r8 to r11.
  std::uint32_t registers = 0;
  std::uint32_t xmm_count = 0;  // loads from none of xmm(xmm_count) and above
  bool calls_runtime = false;   // an entry other than kAdmit and kCommit
};

// Refusals have the reason "machine-check"; the message names the rule, the
// byte and the instruction.
[[nodiscard]] Result<BodyFacts> check_body(std::span<const std::byte> code,
                                           const BodyLimits& limits,
                                           const Surroundings& surroundings);

}  // namespace nohalt::inline_translate
