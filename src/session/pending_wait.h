// Waiting for a place that no file of the process has yet: until the process opens a
// library that has it (`--pending`). The process is looked at from outside, by its list
// of mappings, a few times a second, and notices nothing.
//
// Threading: one thread.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <vector>

#include "probes/spec/probe_spec.h"
#include "probes/target/maps.h"
#include "probes/target/process.h"
#include "src/base/result.h"
#include "src/session/stop_request.h"

namespace nohalt::session {

// The error says of a place that there is none, and of nothing else.
[[nodiscard]] bool is_no_such_place(const Error& error);

// What is loaded later may be unloaded, so that each place is refused without a stop:
// nobody need wait for that. Reason "may-be-unloaded".
[[nodiscard]] Status check_worth_waiting(const std::vector<spec::ProbeSpec>& probes);

// As long as the longest lease that is asked for.
[[nodiscard]] std::chrono::milliseconds longest_wait(const std::vector<spec::ProbeSpec>& probes);

class PendingWait {
 public:
  // Looked for anew where files have come: it found all, or says why not.
  using Attempt = std::function<Status()>;

  [[nodiscard]] static Result<PendingWait> begin(pid_t pid, std::chrono::milliseconds longest);

  // False: a stop was wished. Errors: target-gone; not-loaded-in-time; and those of
  // `attempt` but that there is no such place.
  [[nodiscard]] Result<bool> wait(StopRequest& stop, const Attempt& attempt,
                                  const std::function<void()>& every_time);

 private:
  PendingWait(target::Process process, std::chrono::milliseconds longest)
      : process_(std::move(process)),
        longest_(longest),
        deadline_(std::chrono::steady_clock::now() + longest) {}
  // Files with code have come since the last attempt, and are loaded to the end, as far as
  // that shows: none came since the look before.
  [[nodiscard]] bool is_time();

  target::Process process_;
  std::chrono::milliseconds longest_;
  std::chrono::steady_clock::time_point deadline_;
  std::optional<std::vector<target::Mapping>> tried_;
  std::vector<target::Mapping> seen_;
  int unsteady_ = 0;  // looks in a row that were not alike
};

}  // namespace nohalt::session
