// The steps described in borrow.h, in the order that keeps them safe.
#include "probes/target/borrow.h"

#include <sched.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <string>
#include <utility>

#include "probes/target/birth.h"
#include "probes/target/candidates.h"
#include "probes/target/signal_frame.h"
#include "probes/target/target_gone.h"

namespace nohalt::target {

namespace {

constexpr std::uint64_t kPatience = 2'000 * kMillisecond;     // for the whole choice
constexpr std::uint64_t kStopPatience = 500 * kMillisecond;   // nobody is held meanwhile
constexpr std::uint64_t kRunPatience = 2'000 * kMillisecond;  // to its next stop
// With nothing in it but the oldest parts, which every processor has.
constexpr auto kPlainVectorState = [] {
  std::array<std::byte, 576> state{};
  state[464] = std::byte{3};
  return state;
}();
constexpr std::uint64_t kCloneFlags =
    CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_PTRACE;

// One attempt with one thread.
class Attempt {
 public:
  Attempt(const BorrowPlan& plan, Tracees& tracees, HoldReport& holds, pid_t tid)
      : plan_(plan), tracees_(tracees), holds_(holds), tid_(tid), birth_{plan.pid, tid, {}} {}

  // kRefused: this thread will not do now, and goes on as before.
  Result<pid_t> run();

 private:
  void rehearse();
  Status stop();
  Status wait_for_stop();
  bool thread_sees(const SignalFrame& frame);
  Status prepare();
  Status point_at_clone();
  Result<pid_t> clone_and_let_run();
  Result<pid_t> clone_and_restore();
  Status next_stop(int how, bool (TraceEvent::*wanted)() const);
  Status restore_exactly();
  std::unexpected<Error> give_up(Error error);
  void hold_begins();
  void hold_ends(HoldPhase next);
  [[nodiscard]] bool is_our_target() const;

  const BorrowPlan& plan_;
  Tracees& tracees_;
  HoldReport& holds_;
  pid_t tid_;
  Maps maps_;
  Birth birth_;
  user_regs_struct registers_{};
  std::uint64_t mask_ = 0;
  SignalFrame frame_;
  std::vector<std::byte> seen_;
  StackWords words_ = StackWords(kSignalFrameSearch / sizeof(std::uint64_t), 1);
  std::uint64_t held_since_ = 0;
};

void Attempt::hold_begins() {
  const std::uint64_t now = monotonic_ns();
  if (held_since_ == 0) {
    held_since_ = now;
    tracees_.heartbeat().detour_since.store(now, std::memory_order_release);
  }
  tracees_.heartbeat().held_since.store(now, std::memory_order_release);
  tracees_.heartbeat().phase.store(HoldPhase::kHolding, std::memory_order_release);
}

// To the thread the way from one stop to the next is part of its hold: it does
// none of its own work meanwhile. To the watchdog it is not.
void Attempt::hold_ends(HoldPhase next) {
  const std::uint64_t now = monotonic_ns();
  tracees_.heartbeat().beat.store(now, std::memory_order_release);
  tracees_.heartbeat().phase.store(next, std::memory_order_release);
  if (next == HoldPhase::kSeizing || held_since_ == 0) return;
  tracees_.heartbeat().detour_since.store(0, std::memory_order_release);
  holds_.add(now - std::exchange(held_since_, 0));
}

std::unexpected<Error> Attempt::give_up(Error error) {
  (void)tracees_.let_go(tid_);
  hold_ends(HoldPhase::kHelper);
  return std::unexpected(std::move(error));
}

// A thread id may have been given to another process between look and seizure;
// while it is traced it stays what it is.
bool Attempt::is_our_target() const {
  const std::string path =
      "/proc/" + std::to_string(plan_.pid) + "/task/" + std::to_string(tid_) + "/comm";
  return ::access(path.c_str(), F_OK) == 0;
}

Status Attempt::stop() {
  tracees_.heartbeat().beat.store(monotonic_ns(), std::memory_order_release);
  tracees_.heartbeat().phase.store(HoldPhase::kSeizing, std::memory_order_release);
  NOHALT_CHECK(tracees_.seize(tid_));
  if (!is_our_target()) {
    tracees_.abandon(tid_);
    (void)tracees_.request(PTRACE_INTERRUPT, tid_);
    return fail(ErrorCode::kRefused, "thread-gone", "The chosen thread ended.");
  }
  NOHALT_CHECK(tracees_.request(PTRACE_INTERRUPT, tid_));
  return wait_for_stop();
}

Status Attempt::wait_for_stop() {
  const std::uint64_t deadline = monotonic_ns() + kStopPatience;
  while (const auto event = tracees_.next(tid_, deadline)) {
    if (event->ended()) return fail(ErrorCode::kRefused, "thread-gone", "The chosen thread ended.");
    if (event->event_stop()) {
      hold_begins();
      return {};
    }
    if (event->group_stop()) {
      (void)tracees_.let_go(tid_);
      return fail(ErrorCode::kRefused, "stopped", "The target is being stopped by a signal.",
                  "Continue it (SIGCONT) and try again.");
    }
    const auto signal = static_cast<std::uint64_t>(event->signal());
    NOHALT_CHECK(tracees_.request(PTRACE_CONT, tid_, 0, signal));
  }
  tracees_.abandon(tid_);
  return fail(ErrorCode::kRefused, "thread-does-not-stop",
              "The chosen thread did not come to a stop in time.",
              "It may sleep uninterruptibly or get no processor time: try again.");
}

bool Attempt::thread_sees(const SignalFrame& frame) {
  seen_.resize(frame.bytes.size());
  const iovec local{seen_.data(), seen_.size()};
  const iovec remote{reinterpret_cast<void*>(frame.stack_pointer.value), seen_.size()};
  return ::process_vm_readv(tid_, &local, 1, &remote, 1, 0) == static_cast<ssize_t>(seen_.size()) &&
         seen_ == frame.bytes;
}

// Reads the thread's state, forges the frame and writes it below the red zone.
Status Attempt::prepare() {
  NOHALT_TRY(const auto stopped, tracees_.registers(tid_));
  registers_ = repair_after_stop(stopped);
  NOHALT_TRY(mask_, tracees_.signal_mask(tid_));
  NOHALT_TRY(const auto xstate, tracees_.vector_state(tid_));
  NOHALT_TRY(frame_, forge_signal_frame(rewind_call(registers_), xstate, mask_, plan_.gadgets,
                                        std::move(frame_.bytes)));
  NOHALT_CHECK(
      check_stopped_thread(plan_, maps_, tracees_, tid_, registers_, frame_.stack_pointer, words_));
  NOHALT_CHECK(plan_.memory->write(frame_.stack_pointer, frame_.bytes));
  // plan_.memory is bound to the address space that was checked; the thread must
  // still live in it, or an execve came between.
  if (!thread_sees(frame_))
    return target_gone();
  return {};
}

Status Attempt::point_at_clone() {
  user_regs_struct r = registers_;
  r.orig_rax = ~0ULL;
  r.rsp = frame_.stack_pointer.value;
  constexpr std::uint64_t kSyscallSize = 2;
  r.rip = plan_.gadgets.syscall_ret.value + kSyscallSize;
  NOHALT_CHECK(tracees_.set_registers(tid_, r));
  NOHALT_CHECK(tracees_.set_signal_mask(tid_, kFullSignalMask));
  r.rip = plan_.gadgets.syscall_ret.value;
  r.rax = SYS_clone;
  r.rdi = kCloneFlags;
  r.rsi = plan_.scratch.value;
  r.rdx = r.r10 = r.r8 = 0;
  return tracees_.set_registers(tid_, r);
}

Result<pid_t> Attempt::clone_and_let_run() {
  NOHALT_CHECK(tracees_.request(PTRACE_CONT, tid_));
  hold_ends(HoldPhase::kHelper);
  tracees_.leave_running(tid_);
  return wait_for_birth(birth_, false, tracees_);
}

// How long the thread waits for a processor on the way to its next stop is not this
// process's doing, and no reason for the watchdog to end it. When this fails the
// frame leads the thread home once the tracer is gone.
Status Attempt::next_stop(int how, bool (TraceEvent::*wanted)() const) {
  const std::uint64_t deadline = monotonic_ns() + kRunPatience;
  hold_ends(HoldPhase::kSeizing);
  NOHALT_CHECK(tracees_.request(how, tid_));
  while (const auto event = tracees_.next(tid_, deadline)) {
    if (event->ended())
      return target_gone();
    if (((*event).*wanted)()) {
      hold_begins();
      return {};
    }
    if (event->group_stop()) break;
    NOHALT_CHECK(tracees_.request(how, tid_));
  }
  return fail(ErrorCode::kInternal, kSessionOver,
              "The borrowed thread got no processor time, or the target was stopped.",
              "Try again when the machine is calmer.");
}

// Back to the registers and mask it had, in the order that leaves the frame as
// the way home until the last step. On its way out of the kernel it looks once more
// whether a call is to be restarted, because an interrupt was asked for; that is
// taken back with the detaching, and the look is not.
Status Attempt::restore_exactly() {
  NOHALT_CHECK(tracees_.request(PTRACE_INTERRUPT, tid_));
  NOHALT_CHECK(tracees_.set_signal_mask(tid_, mask_));
  NOHALT_CHECK(tracees_.set_registers(tid_, registers_));
  return tracees_.request(PTRACE_DETACH, tid_);
}

Result<pid_t> Attempt::clone_and_restore() {
  NOHALT_CHECK(next_stop(PTRACE_SYSCALL, &TraceEvent::syscall_stop));  // into clone
  NOHALT_CHECK(next_stop(PTRACE_SYSCALL, &TraceEvent::syscall_stop));  // out of it
  NOHALT_TRY(const auto after, tracees_.registers(tid_));
  NOHALT_CHECK(restore_exactly());
  hold_ends(HoldPhase::kHelper);
  constexpr long kRestartsUnseen = -513;  // ERESTARTNOINTR: a signal came first
  if (static_cast<long>(after.rax) == kRestartsUnseen)
    return fail(ErrorCode::kRefused, "clone-interrupted",
                "A signal came before the chosen thread could make another.", "Try again.");
  if (static_cast<long>(after.rax) < 0)
    return fail(ErrorCode::kRefused, "pid-limit",
                "The target may not make one more thread (clone failed with error " +
                    std::to_string(-static_cast<long>(after.rax)) + ").",
                "Raise its limit on processes (pids.max, RLIMIT_NPROC), then try again.");
  return wait_for_birth(birth_, true, tracees_);
}

// This process is a fresh copy of the tool: what it does for the first time costs page
// faults, the loader's search for a symbol, questions to a hypervisor. So it is all done
// before anybody is held, in the very room that is used then.
void Attempt::rehearse() {
  constexpr std::size_t kLargestFrame = 20'000;
  frame_.bytes.assign(kLargestFrame, std::byte{1});
  seen_ = frame_.bytes;
  auto frame = forge_signal_frame({}, kPlainVectorState, 0, plan_.gadgets, std::move(frame_.bytes));
  if (frame) frame_ = std::move(*frame);
  frame_.stack_pointer = plan_.scratch;
  (void)thread_sees(frame_);
}

Result<pid_t> Attempt::run() {
  // Long, so before anything is held.
  NOHALT_TRY(maps_, read_maps(plan_.pid));
  NOHALT_TRY(birth_.before, list_threads(plan_.pid));
  rehearse();
  NOHALT_CHECK(stop());
  if (auto ready = prepare(); !ready) return give_up(std::move(ready).error());
  if (auto pointed = point_at_clone(); !pointed) return std::unexpected(std::move(pointed).error());
  return in_system_call(registers_) ? clone_and_restore() : clone_and_let_run();
}

// Another thread, or another moment, may do where this says true.
bool worth_another_try(const Error& error) {
  if (error.reason == "system-call-failed") return true;
  return error.code == ErrorCode::kRefused && error.reason != "pid-limit" &&
         error.reason != "stopped" && error.reason != "helper-did-not-start";
}

}  // namespace

Result<pid_t> borrow(const BorrowPlan& plan, Tracees& tracees, HoldReport& holds) {
  Error last{ErrorCode::kRefused, "no-borrowable-thread",
             "No thread of the target can be held for a moment without disturbing it.",
             "All of them may be in transfers or in uninterruptible sleep: try again."};
  const std::uint64_t deadline = monotonic_ns() + kPatience;
  while (monotonic_ns() < deadline) {
    NOHALT_TRY(const auto candidates, find_candidates(plan.pid));
    for (const auto& candidate : candidates) {
      auto borrowed = Attempt(plan, tracees, holds, candidate.tid).run();
      if (borrowed || !worth_another_try(borrowed.error())) return borrowed;
      last = std::move(borrowed).error();
    }
    (void)tracees.next(-1, monotonic_ns() + kMillisecond);
  }
  return std::unexpected(std::move(last));
}

}  // namespace nohalt::target
