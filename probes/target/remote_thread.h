// A thread of the tool's own in a target, which makes system calls there while
// the target runs on. This header is the way in to the whole module:
//
//   Process        what a pid is and whether it may be touched        process.h
//   TargetLock     one arming at a time, and the address space meant  target_lock.h
//   RemoteThread   borrow, remote system calls, end                   here
//   region, page_swap (probes/engines/inline) are built on its calls.
//
// In order:
//   auto process = Process::open(pid);             // facts; then check_attachable(*process)
//   auto lock = TargetLock::acquire(*process);     // holds /proc/PID/mem
//   auto thread = RemoteThread::borrow(*process, *lock);
//   thread->call(SYS_mmap, ...);                   // any number of them
//   thread->finish();                              // the helper is gone, scratch is zero
//
// While a RemoteThread lives its process cannot exec unseen: exec ends the
// helper and the next call says "target-gone". Nothing traces the target after
// finish(). The session ends by itself when no call comes for five seconds, so a
// stopped tool leaves nothing behind; the calls after that fail with
// "session-over".
//
// Threading: one thread at a time. Ownership: outlives neither Process nor lock.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <string_view>

#include "probes/target/gadgets.h"
#include "probes/target/heartbeat.h"
#include "probes/target/process.h"
#include "probes/target/stand_still.h"
#include "probes/target/survey.h"
#include "probes/target/target_lock.h"
#include "src/base/address.h"
#include "src/base/result.h"
#include "src/base/unique_fd.h"

namespace nohalt::target {

// The tracer ended under a session, by its watchdog's hand or another's: what was
// being done is unfinished, the target runs on, and a new session may go on.
[[nodiscard]] bool session_was_lost(const Error& error);

class RemoteThread {
 public:
  // Errors: those of borrow() (borrow.h), "no-gadget", "no-scratch-memory",
  // "previous-run-ending", "kernel-too-old".
  // Where it fails, what was held all the same is added to `failed`.
  [[nodiscard]] static Result<RemoteThread> borrow(const Process& process, const TargetLock& lock,
                                                   HoldReport* failed = nullptr);

  RemoteThread(RemoteThread&& other) noexcept;
  RemoteThread& operator=(RemoteThread&&) = delete;
  ~RemoteThread();

  // Makes one system call in the target. What the kernel returned where that is
  // no error; else reason "remote-call-failed" with the call's name. `what`
  // names it in the message, such as "mmap".
  [[nodiscard]] Result<std::uint64_t> call(std::string_view what, long number,
                                           const std::array<std::uint64_t, 6>& arguments);
  // As above, but hands out errors as negative numbers.
  [[nodiscard]] Result<std::int64_t> raw_call(long number,
                                              const std::array<std::uint64_t, 6>& arguments);

  // Which threads are outside certain code, by one short stop of each (survey.h).
  [[nodiscard]] Result<std::uint64_t> survey(const SurveyQuestion& question);

  // Writes to files that the helper has open while no thread of the target runs
  // (stand_still.h).
  [[nodiscard]] Status stand_still(const StandStillOrder& order);

  // Puts a short text (at most kScratchTextSize - 1 bytes) into the scratch
  // words, for calls that want a name. Holds until the next put_text or finish.
  [[nodiscard]] Result<RuntimeAddress> put_text(std::string_view text);

  // A descriptor of the helper's own table, opened in the tool as well.
  [[nodiscard]] Result<UniqueFd> open_remote_descriptor(std::uint64_t remote, int flags) const;

  // Ends the helper and the tracer; reports what could not be undone.
  [[nodiscard]] Status finish();

  [[nodiscard]] const HoldReport& holds() const { return holds_; }
  [[nodiscard]] pid_t helper() const { return helper_; }
  [[nodiscard]] const Gadgets& gadgets() const { return gadgets_; }
  [[nodiscard]] const Process& process() const { return *process_; }
  [[nodiscard]] const Memory& memory() const { return lock_->memory(); }

 private:
  RemoteThread(const Process& process, const TargetLock& lock) : process_(&process), lock_(&lock) {}
  static Result<RemoteThread> borrow_once(const Process& process, const TargetLock& lock,
                                          HoldReport& earlier);
  Status start(const struct BorrowPlan& plan);
  Status send(const struct TracerRequest& request);
  [[nodiscard]] std::unexpected<Error> session_over() const;
  Result<struct TracerReply> receive();
  void note_lost_hold();
  Status reap();
  Status clear_scratch_after_loss();

  const Process* process_;
  const TargetLock* lock_;
  Gadgets gadgets_;
  RuntimeAddress scratch_;
  Heartbeat* heartbeat_ = nullptr;
  UniqueFd socket_;
  pid_t tracer_ = 0;
  pid_t watchdog_ = 0;
  pid_t helper_ = 0;
  HoldReport holds_;
  HoldReport earlier_;  // of attempts before this session
};

}  // namespace nohalt::target
