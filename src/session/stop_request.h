// The person's wish to end a run: Ctrl-C, a termination signal, a closed
// terminal. It is noted and waited for, never acted on in a handler, so that
// removal is always whole. A second Ctrl-C changes nothing.
//
// One object a process. It blocks the signals for the calling thread (and those
// it starts) from then on, also when it is gone: what comes while the program
// ends must not change its exit status.
#pragma once

#include <chrono>
#include <utility>

#include "src/base/result.h"
#include "src/base/unique_fd.h"

namespace nohalt::session {

class StopRequest {
 public:
  [[nodiscard]] static Result<StopRequest> watch();
  StopRequest(StopRequest&&) noexcept = default;
  StopRequest& operator=(StopRequest&&) = delete;

  // Waits until something is asked, or until `patience` is over, or until
  // `other` (a descriptor, -1: none) becomes readable. True: a stop is wished.
  [[nodiscard]] bool wait(std::chrono::milliseconds patience, int other = -1);
  [[nodiscard]] bool wished() const { return wished_; }

 private:
  explicit StopRequest(UniqueFd signals) : signals_(std::move(signals)) {}

  UniqueFd signals_;
  bool wished_ = false;
};

}  // namespace nohalt::session
