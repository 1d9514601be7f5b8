// The words of `nohalt audit`: which of its verbs, and what it looks for.
//
// Errors are of kind kUsage.
// Threading: no state; reads the clock for "two hours ago".
#pragma once

#include "src/base/result.h"
#include "src/cli/grammar.h"
#include "src/session/commands.h"

namespace nohalt::cli {

// Whether --format is one of export's own.
[[nodiscard]] bool is_audit_export(const Words& words);

[[nodiscard]] Result<session::AuditCommand> read_audit(const Words& words,
                                                       session::CommonOptions common);

}  // namespace nohalt::cli
