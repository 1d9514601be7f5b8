// What to say when a process went away, or became another program, while it was
// being worked on: an ordinary end for a request, never a fault of the tool's.
#pragma once

#include <string_view>

#include "src/base/result.h"

namespace nohalt::target {

// "target-gone".
[[nodiscard]] std::unexpected<Error> target_gone();

// A failed system call on something that exists as long as the target does (a file
// below /proc/PID, a stopped thread): "target-gone" where the kernel knows of none
// (ENOENT, ESRCH), otherwise as fail_errno.
[[nodiscard]] std::unexpected<Error> fail_on_target(std::string_view call, std::string_view object,
                                                    int error_number);

}  // namespace nohalt::target
