// The way of a body: verify, emit, check.
#include "probes/engines/inline/translate/translate.h"

#include "probes/engines/inline/translate/emitter.h"
#include "probes/engines/inline/translate/machine_check.h"

namespace nohalt::inline_translate {

Result<TranslatedBody> translate(const program::Program& program,
                                 const Surroundings& surroundings) {
  const auto verified = program::verify(program);
  if (!verified) return std::unexpected(program::to_error(verified.error()));
  NOHALT_TRY(TranslatedBody body, emit_body(program, *verified, surroundings));
  const BodyLimits limits{program.record_size, program.needs_xmm, body.is_admitted};
  NOHALT_TRY(const BodyFacts facts, check_body(body.code, limits, surroundings));
  body.stack_bytes = facts.stack_bytes;
  body.registers = facts.registers;
  body.xmm_count = facts.xmm_count;
  body.calls_runtime = facts.calls_runtime;
  return body;
}

}  // namespace nohalt::inline_translate
