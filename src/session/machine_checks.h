// What nohalt needs from a machine, tried out on the tool itself and on a child
// that it makes and ends. Changes nothing.
//
// Threading: one thread (it forks).
#pragma once

#include <string>
#include <vector>

#include "policy/access/caller.h"
#include "src/output/inspection_report.h"

namespace nohalt::session {

// The right to look into other processes, and the ways to do it.
[[nodiscard]] std::vector<output::Check> check_access(const policy::Caller& caller);
// System calls and settings that the inline engine stands on.
[[nodiscard]] std::vector<output::Check> check_kernel();
// Clock and processor.
[[nodiscard]] std::vector<output::Check> check_processor();
// What the kernel engine will need.
[[nodiscard]] output::Check check_kernel_engine();

// What Yama's setting means for somebody; absent file: -1.
[[nodiscard]] output::Check judge_yama(int scope, bool may_trace_all);

}  // namespace nohalt::session
