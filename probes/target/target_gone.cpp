#include "probes/target/target_gone.h"

#include <cerrno>

namespace nohalt::target {

std::unexpected<Error> target_gone() {
  return fail(ErrorCode::kTargetGone, "target-gone",
              "The process ended or replaced itself with another program.",
              "Start again with the process that now does the work.");
}

std::unexpected<Error> fail_on_target(std::string_view call, std::string_view object,
                                      int error_number) {
  if (error_number == ENOENT || error_number == ESRCH) return target_gone();
  return fail_errno(call, object, error_number);
}

}  // namespace nohalt::target
