// What policy asks of a process, taken from what the system says of it.
// Threading: pure function.
#pragma once

#include "policy/access/grant.h"
#include "probes/target/process.h"

namespace nohalt::session {

// Without the build id, which only the program's file can tell.
[[nodiscard]] policy::TargetFacts target_facts(const target::Process& process);

// With it, where the file tells one: for rules that stop nothing until it is known.
[[nodiscard]] policy::TargetFacts built_facts(const target::Process& process);

}  // namespace nohalt::session
