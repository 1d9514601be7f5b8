// Seize, interrupt, read two registers, let go. A call that the stop woke is put
// right as for a borrowed thread (restart.h).
#include "probes/target/observe.h"

#include <sys/ptrace.h>

#include "probes/target/restart.h"

namespace nohalt::target {

namespace {

constexpr std::uint64_t kStopPatience = 20 * kMillisecond;

// A thread can end at any step: then the step fails.
std::unexpected<Error> gone() {
  return fail(ErrorCode::kRefused, "thread-gone", "The thread ended, or is traced by another.");
}

// Tells the watchdog what is held for as long as it lives.
class Hold {
 public:
  Hold(Heartbeat& heartbeat, HoldReport& holds) : heartbeat_(heartbeat), holds_(holds) {
    heartbeat_.beat.store(monotonic_ns(), std::memory_order_release);
    heartbeat_.phase.store(HoldPhase::kSeizing, std::memory_order_release);
  }
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;
  ~Hold() {
    heartbeat_.phase.store(HoldPhase::kHelper, std::memory_order_release);
    if (since_ != 0) holds_.add(monotonic_ns() - since_);
  }

  void begins() {
    since_ = monotonic_ns();
    heartbeat_.held_since.store(since_, std::memory_order_release);
    heartbeat_.phase.store(HoldPhase::kHolding, std::memory_order_release);
  }

 private:
  Heartbeat& heartbeat_;
  HoldReport& holds_;
  std::uint64_t since_ = 0;
};

Status stop(Tracees& tracees, pid_t tid, Hold& hold) {
  if (!tracees.seize(tid) || !tracees.request(PTRACE_INTERRUPT, tid)) return gone();
  const std::uint64_t deadline = monotonic_ns() + kStopPatience;
  while (const auto event = tracees.next(tid, deadline)) {
    if (event->ended()) return gone();
    if (event->event_stop() || event->group_stop()) {
      hold.begins();
      return {};
    }
    const auto signal = static_cast<std::uint64_t>(event->signal());
    if (!tracees.request(PTRACE_CONT, tid, 0, signal)) return gone();
  }
  tracees.abandon(tid);
  return fail(ErrorCode::kRefused, "thread-does-not-stop", "The thread did not stop in time.");
}

}  // namespace

Result<ThreadSpot> observe(Tracees& tracees, pid_t tid, HoldReport& holds) {
  Hold hold(tracees.heartbeat(), holds);
  NOHALT_CHECK(stop(tracees, tid, hold));
  const auto registers = tracees.registers(tid);
  if (!registers) {
    static_cast<void>(tracees.let_go(tid));
    return gone();
  }
  const user_regs_struct repaired = repair_after_stop(*registers);
  if (repaired.rax != registers->rax) static_cast<void>(tracees.set_registers(tid, repaired));
  if (!tracees.let_go(tid)) return gone();
  return ThreadSpot{{registers->rip}, {registers->rsp}};
}

}  // namespace nohalt::target
