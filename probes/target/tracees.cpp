// Thin wrappers over ptrace(2) and waitpid(2).
#include "probes/target/tracees.h"

#include <elf.h>
#include <poll.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/signalfd.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "probes/target/restart.h"

namespace nohalt::target {

namespace {

constexpr std::uint64_t kLongestSleep = 5 * kMillisecond;
constexpr std::size_t kLargestVectorState = 16384;
constexpr std::uint64_t kLongestAwake = 60'000;  // ns

long raw_ptrace(int what, pid_t tid, std::uint64_t address, std::uint64_t data) {
  return ::ptrace(static_cast<__ptrace_request>(what), tid, reinterpret_cast<void*>(address),
                  reinterpret_cast<void*>(data));
}

template <class T>
std::uint64_t address_of(T& object) {
  return reinterpret_cast<std::uint64_t>(&object);
}

}  // namespace

bool TraceEvent::ended() const { return WIFEXITED(status) || WIFSIGNALED(status); }
bool TraceEvent::syscall_stop() const {
  return WIFSTOPPED(status) && WSTOPSIG(status) == (SIGTRAP | 0x80);
}
bool TraceEvent::event_stop() const {
  return WIFSTOPPED(status) && status >> 16 == PTRACE_EVENT_STOP && WSTOPSIG(status) == SIGTRAP;
}
bool TraceEvent::group_stop() const {
  return WIFSTOPPED(status) && status >> 16 == PTRACE_EVENT_STOP && WSTOPSIG(status) != SIGTRAP;
}
int TraceEvent::signal() const {
  return WIFSTOPPED(status) && status >> 16 == 0 && !syscall_stop() ? WSTOPSIG(status) : 0;
}

Tracees::Tracees(UniqueFd child_signals, Heartbeat& heartbeat)
    : child_signals_(std::move(child_signals)),
      heartbeat_(&heartbeat),
      vector_state_(kLargestVectorState) {
  sigemptyset(&child_signal_);
  sigaddset(&child_signal_, SIGCHLD);
}

Result<Tracees> Tracees::create(Heartbeat& heartbeat) {
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  UniqueFd fd(::signalfd(-1, &child, SFD_NONBLOCK | SFD_CLOEXEC));
  if (!fd.valid()) return fail_errno("signalfd", "", errno);
  return Tracees(std::move(fd), heartbeat);
}

std::optional<TraceEvent> Tracees::next(pid_t tid, std::uint64_t deadline, int also) {
  const auto wanted = [&](const TraceEvent& e) { return tid == 0 || e.tid == tid; };
  const bool soon = heartbeat_->phase.load(std::memory_order_relaxed) == HoldPhase::kSeizing;
  const std::uint64_t awake_until = soon && awake_helps_ ? monotonic_ns() + kLongestAwake : 0;
  for (;;) {
    if (const auto kept = std::ranges::find_if(kept_, wanted); kept != kept_.end()) {
      const TraceEvent event = *kept;
      kept_.erase(kept);
      return event;
    }
    const std::uint64_t now = monotonic_ns();
    heartbeat_->beat.store(now, std::memory_order_release);
    TraceEvent event;
    event.tid = ::waitpid(-1, &event.status, __WALL | WNOHANG);
    if (event.tid > 0) {
      if (serve_if_running(event)) continue;
      if (wanted(event)) return event;
      kept_.push_back(event);
      continue;
    }
    if (now >= deadline) return std::nullopt;
    if (now < awake_until) continue;
    if (soon) awake_helps_ = false;
    const std::uint64_t sleep = std::min(deadline - now, kLongestSleep);
    const timespec timeout{0, static_cast<long>(sleep)};
    if (also < 0) {
      (void)::sigtimedwait(&child_signal_, nullptr, &timeout);
      continue;
    }
    pollfd fds[2] = {{child_signals_.get(), POLLIN, 0}, {also, POLLIN, 0}};
    if (::ppoll(fds, 2, &timeout, nullptr) <= 0) continue;
    signalfd_siginfo drained[8];
    if (fds[0].revents != 0) (void)!::read(child_signals_.get(), drained, sizeof drained);
    if (also >= 0 && fds[1].revents != 0) return std::nullopt;
  }
}

std::optional<TraceEvent> Tracees::poll(pid_t tid) {
  if (const auto kept = std::ranges::find(kept_, tid, &TraceEvent::tid); kept != kept_.end()) {
    const TraceEvent event = *kept;
    kept_.erase(kept);
    return event;
  }
  TraceEvent event;
  event.tid = ::waitpid(tid, &event.status, __WALL | WNOHANG);
  if (event.tid <= 0) return std::nullopt;
  return event;
}

void Tracees::wait_for_child(std::uint64_t deadline) {
  const std::uint64_t now = monotonic_ns();
  if (now >= deadline) return;
  const timespec timeout{0, static_cast<long>(std::min(deadline - now, kLongestSleep))};
  (void)::sigtimedwait(&child_signal_, nullptr, &timeout);
}

bool Tracees::serve_if_running(const TraceEvent& event) {
  const bool abandoned = abandoned_.contains(event.tid);
  if (!abandoned && !running_.contains(event.tid)) return false;
  if (event.ended()) {
    abandoned_.erase(event.tid);
    running_.erase(event.tid);
  } else if (abandoned) {
    abandoned_.erase(event.tid);
    (void)let_go(event.tid, event.signal());
  } else if (event.group_stop()) {
    (void)request(PTRACE_LISTEN, event.tid);
  } else {
    (void)request(PTRACE_CONT, event.tid, 0, static_cast<std::uint64_t>(event.signal()));
  }
  return true;
}

Status Tracees::seize(pid_t tid) {
  // One that was left to run is traced still.
  awake_helps_ = true;
  if (running_.erase(tid) + abandoned_.erase(tid) != 0) return {};
  return request(PTRACE_SEIZE, tid, 0, PTRACE_O_TRACESYSGOOD);
}

Status Tracees::request(int what, pid_t tid, std::uint64_t address, std::uint64_t data) {
  if (raw_ptrace(what, tid, address, data) < 0)
    return fail_errno("ptrace", "thread " + std::to_string(tid), errno);
  return {};
}

Status Tracees::let_go(pid_t tid, int signal) {
  if (const auto now = registers(tid)) {
    const user_regs_struct repaired = repair_after_stop(*now);
    if (signal == 0 && repaired.rax != now->rax) NOHALT_CHECK(set_registers(tid, repaired));
  }
  return request(PTRACE_DETACH, tid, 0, static_cast<std::uint64_t>(signal));
}

Result<user_regs_struct> Tracees::registers(pid_t tid) {
  user_regs_struct registers{};
  NOHALT_CHECK(request(PTRACE_GETREGS, tid, 0, address_of(registers)));
  return registers;
}

Status Tracees::set_registers(pid_t tid, const user_regs_struct& registers) {
  user_regs_struct copy = registers;
  return request(PTRACE_SETREGS, tid, 0, address_of(copy));
}

Result<std::span<const std::byte>> Tracees::vector_state(pid_t tid) {
  iovec buffer{vector_state_.data(), vector_state_.size()};
  NOHALT_CHECK(request(PTRACE_GETREGSET, tid, NT_X86_XSTATE, address_of(buffer)));
  return std::span(vector_state_).first(buffer.iov_len);
}

Result<std::uint64_t> Tracees::signal_mask(pid_t tid) {
  std::uint64_t mask = 0;
  NOHALT_CHECK(request(PTRACE_GETSIGMASK, tid, sizeof mask, address_of(mask)));
  return mask;
}

Status Tracees::set_signal_mask(pid_t tid, std::uint64_t mask) {
  return request(PTRACE_SETSIGMASK, tid, sizeof mask, address_of(mask));
}

}  // namespace nohalt::target
