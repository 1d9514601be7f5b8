// The one error path of the project: every operation that can fail returns a
// Result. An Error carries what a program needs (a code, a stable reason) and
// what a person needs (one sentence of what is wrong, one of what to do).
//
// Threading: plain values. Errors never cross modules as exceptions.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace nohalt {

// What kind of failure it is; decides the exit status (see exit_status).
enum class ErrorCode {
  kInternal,       // a defect or an unexpected refusal by the system
  kUsage,          // the request itself is malformed, or names no such place
  kDenied,         // policy, kernel permission, unwritable audit
  kRefused,        // cannot be shown safe
  kAlreadyProbed,  // the place belongs to another run
  kTargetGone,     // the process ended or replaced itself
  kNoHit,          // ended without a hit, or switched off by its budget
};

struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string reason;   // stable kebab-case token, such as "seccomp-filter"
  std::string message;  // one sentence: what is wrong
  std::string hint;     // one sentence: what to do next; may be empty
};

template <class T>
using Result = std::expected<T, Error>;
using Status = Result<void>;

[[nodiscard]] inline std::unexpected<Error> fail(ErrorCode code, std::string reason,
                                                 std::string message, std::string hint = {}) {
  return std::unexpected<Error>(
      Error{code, std::move(reason), std::move(message), std::move(hint)});
}

// An error from a failed system call: names the call, the object and errno.
[[nodiscard]] std::unexpected<Error> fail_errno(std::string_view call, std::string_view object,
                                                int error_number);

// The process exit status that stands for a code (README, "Exit status").
[[nodiscard]] int exit_status(ErrorCode code);

}  // namespace nohalt

// Hands the error of a Result upward, otherwise goes on. For a value:
//   NOHALT_TRY(auto maps, read_maps(pid));
#define NOHALT_CONCAT_INNER(a, b) a##b
#define NOHALT_CONCAT(a, b) NOHALT_CONCAT_INNER(a, b)
#define NOHALT_TRY(declaration, expression)                                             \
  auto NOHALT_CONCAT(nohalt_result_, __LINE__) = (expression);                          \
  if (!NOHALT_CONCAT(nohalt_result_, __LINE__))                                         \
    return std::unexpected(std::move(NOHALT_CONCAT(nohalt_result_, __LINE__)).error()); \
  declaration = std::move(*NOHALT_CONCAT(nohalt_result_, __LINE__))
#define NOHALT_CHECK(expression)                                \
  do {                                                          \
    if (auto nohalt_status = (expression); !nohalt_status)      \
      return std::unexpected(std::move(nohalt_status).error()); \
  } while (false)
