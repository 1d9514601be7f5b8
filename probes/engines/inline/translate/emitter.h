// Writes the x86-64 of one verified program; the working half of translate().
#pragma once

#include "probes/engines/inline/translate/translate.h"

namespace nohalt::inline_translate {

// Not yet checked: only translate() hands bodies out.
[[nodiscard]] Result<TranslatedBody> emit_body(const program::Program& program,
                                               const program::VerifiedProgram& verified,
                                               const Surroundings& surroundings);

}  // namespace nohalt::inline_translate
