// Building errors from errno, and mapping codes to exit statuses.
#include "src/base/result.h"

#include <cerrno>
#include <system_error>

namespace nohalt {

namespace {

ErrorCode code_of(int error_number) {
  switch (error_number) {
    case ESRCH:
      return ErrorCode::kTargetGone;
    case EPERM:
    case EACCES:
      return ErrorCode::kDenied;
    default:
      return ErrorCode::kInternal;
  }
}

}  // namespace

std::unexpected<Error> fail_errno(std::string_view call, std::string_view object,
                                  int error_number) {
  std::string message{call};
  if (!object.empty()) message.append(" ").append(object);
  message.append(": ").append(std::generic_category().message(error_number));
  return fail(code_of(error_number), "system-call-failed", std::move(message));
}

int exit_status(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInternal:
      return 1;
    case ErrorCode::kUsage:
      return 2;
    case ErrorCode::kDenied:
      return 3;
    case ErrorCode::kRefused:
    case ErrorCode::kAlreadyProbed:
      return 4;
    case ErrorCode::kTargetGone:
      return 5;
    case ErrorCode::kNoHit:
      return 6;
  }
  return 1;
}

}  // namespace nohalt
