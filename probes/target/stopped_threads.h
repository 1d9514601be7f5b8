// All threads of a target but the helper, stopped together and let go together. Runs in
// the tracer process.
//
// All are asked before any is waited for: then each takes its turn to stop while the
// others do. What a stop did to a thread's system call is put right at once. New ones
// are told by the kernel's own count of threads, once all that are known stand and so
// can neither end nor make others.
//
// A hold is counted from the last moment that its thread was not seen to stand: never
// too short.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <span>
#include <vector>

#include "probes/target/heartbeat.h"
#include "probes/target/tracees.h"
#include "src/base/result.h"
#include "src/base/unique_fd.h"

namespace nohalt::target {

class StoppedThreads {
 public:
  struct Thread {
    pid_t tid = 0;
    enum State { kListed, kSeized, kAsked, kStands, kGone } state = kListed;
    std::uint64_t ran_at = 0;  // when it was last not seen to stand
    user_regs_struct registers{};
  };

  [[nodiscard]] static Result<StoppedThreads> open(pid_t pid, pid_t helper, Tracees& tracees,
                                                   HoldReport& holds);

  // Whoever is there now. Nobody is stopped.
  [[nodiscard]] Status list();
  [[nodiscard]] std::span<Thread> all() { return threads_; }

  // Until all stand, or an error; those that do by then stay until let_go(). Reasons:
  // "thread-does-not-stop", "threads-change", "stopped", "target-gone".
  [[nodiscard]] Status stop(std::uint64_t longest);
  // Since when somebody may stand, monotonic ns.
  [[nodiscard]] std::uint64_t since() const { return since_; }
  // What letting go of all of them takes, roughly. ns.
  [[nodiscard]] std::uint64_t release_time() const;

  // Those who did not stop in time are waited for, beside the others that run again.
  void let_go();

 private:
  StoppedThreads(pid_t pid, pid_t helper, Tracees& tracees, HoldReport& holds, UniqueFd status)
      : pid_(pid),
        helper_(helper),
        tracees_(&tracees),
        holds_(&holds),
        status_(std::move(status)) {}

  Status seize();
  void ask();
  Status collect(std::uint64_t deadline);
  Status take(Thread& thread, const TraceEvent& event);
  [[nodiscard]] Result<bool> is_everybody();
  Status list_new();
  void detach();
  void hold_begins();
  void enter(HoldPhase phase);

  pid_t pid_;
  pid_t helper_;
  Tracees* tracees_;
  HoldReport* holds_;
  UniqueFd status_;
  std::vector<Thread> threads_;
  std::uint64_t since_ = 0;
};

}  // namespace nohalt::target
