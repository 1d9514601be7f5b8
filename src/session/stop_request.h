// The person's wish to end a run: Ctrl-C, a termination signal, a closed
// terminal. It is noted and waited for, never acted on in a handler, so that
// removal is always whole. A second Ctrl-C changes nothing.
//
// One object a process; it blocks the signals for the calling thread (and those
// it starts) as long as it lives.
#pragma once

#include <chrono>
#include <csignal>

#include "src/base/result.h"
#include "src/base/unique_fd.h"

namespace nohalt::session {

class StopRequest {
 public:
  [[nodiscard]] static Result<StopRequest> watch();
  StopRequest(StopRequest&& other) noexcept;
  StopRequest& operator=(StopRequest&&) = delete;
  ~StopRequest();

  // Waits until something is asked, or until `patience` is over, or until
  // `other` (a descriptor, -1: none) becomes readable. True: a stop is wished.
  [[nodiscard]] bool wait(std::chrono::milliseconds patience, int other = -1);
  [[nodiscard]] bool wished() const { return wished_; }

 private:
  StopRequest(UniqueFd signals, sigset_t before) : signals_(std::move(signals)), before_(before) {}

  UniqueFd signals_;
  sigset_t before_;
  bool wished_ = false;
};

}  // namespace nohalt::session
