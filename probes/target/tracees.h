// The ptrace calls of the tracer process, and its wait for what they bring.
// One object a tracer process; not for use from elsewhere.
//
// Waiting is done on a signalfd of SIGCHLD, so that the tracer beats its heart
// while it waits, and reaps at once: a dead traced thread that is not reaped
// hangs an execve of the target.
//
// A stop of one of the target's own threads is first waited for awake, since to be
// woken takes this process longer than most threads need to their stop. That must be
// short, for it may be this very processor that the thread needs.
#pragma once

#include <signal.h>
#include <sys/types.h>
#include <sys/user.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "probes/target/heartbeat.h"
#include "src/base/result.h"
#include "src/base/unique_fd.h"

namespace nohalt::target {

struct TraceEvent {
  pid_t tid = 0;
  int status = 0;

  [[nodiscard]] bool ended() const;
  [[nodiscard]] bool syscall_stop() const;
  [[nodiscard]] bool event_stop() const;  // a stop that PTRACE_INTERRUPT or birth brought
  [[nodiscard]] bool group_stop() const;  // the whole process is being stopped
  [[nodiscard]] int signal() const;       // of a signal-delivery stop, else 0
};

class Tracees {
 public:
  // SIGCHLD must be blocked already.
  [[nodiscard]] static Result<Tracees> create(Heartbeat& heartbeat);

  // The next event of `tid` (0: of any thread not left to run), or none by the
  // deadline (monotonic ns). Events of threads left to run are served inside.
  // Returns early with none when `also` becomes readable.
  [[nodiscard]] std::optional<TraceEvent> next(pid_t tid, std::uint64_t deadline, int also = -1);

  // What has come of this one thread, or nothing. Never waits.
  [[nodiscard]] std::optional<TraceEvent> poll(pid_t tid);
  // Until something may have come of any.
  void wait_for_child(std::uint64_t deadline);

  // Takes back one that was left to run or abandoned.
  [[nodiscard]] Status seize(pid_t tid);
  [[nodiscard]] Status request(int what, pid_t tid, std::uint64_t address = 0,
                               std::uint64_t data = 0);
  [[nodiscard]] Result<user_regs_struct> registers(pid_t tid);
  [[nodiscard]] Status set_registers(pid_t tid, const user_regs_struct& registers);
  // Lasts until it is asked for again.
  [[nodiscard]] Result<std::span<const std::byte>> vector_state(pid_t tid);
  [[nodiscard]] Result<std::uint64_t> signal_mask(pid_t tid);
  [[nodiscard]] Status set_signal_mask(pid_t tid, std::uint64_t mask);

  // Detaches a stopped thread so that it goes on as if it had not been stopped,
  // with `signal` delivered if it is not 0.
  [[nodiscard]] Status let_go(pid_t tid, int signal = 0);

  // From now on its stops are passed over: signals are delivered, other stops
  // continued. The kernel lets go of it, without a stop, when the tracer ends.
  void leave_running(pid_t tid) { running_.insert(tid); }
  // As above, and it is detached at its next stop.
  void abandon(pid_t tid) { abandoned_.insert(tid); }

  Heartbeat& heartbeat() { return *heartbeat_; }

 private:
  Tracees(UniqueFd child_signals, Heartbeat& heartbeat);
  bool serve_if_running(const TraceEvent& event);

  UniqueFd child_signals_;
  Heartbeat* heartbeat_;
  sigset_t child_signal_;
  bool awake_helps_ = true;
  std::set<pid_t> running_;
  std::set<pid_t> abandoned_;
  std::vector<TraceEvent> kept_;
  // Made and touched before anybody is held.
  std::vector<std::byte> vector_state_;
};

}  // namespace nohalt::target
