// One loop: a request comes, a system call runs in the helper, a reply goes.
#include "probes/target/tracer.h"

#include <linux/close_range.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <string>

#include "probes/target/target_gone.h"
#include "probes/target/watchdog.h"

namespace nohalt::target {

namespace {

template <std::size_t N>
void copy_text(std::array<char, N>& to, const std::string& from) {
  const std::size_t n = std::min(from.size(), N - 1);
  std::copy_n(from.data(), n, to.data());
}

class Session {
 public:
  Session(const BorrowPlan& plan, int socket, Tracees& tracees)
      : plan_(plan), socket_(socket), tracees_(tracees) {}

  void run();

 private:
  Status begin();
  Result<std::int64_t> call(long number, const std::array<std::uint64_t, 6>& arguments);
  Result<bool> serve_one();
  Status run_to_syscall_stop();
  Status finish();
  bool reply(Result<std::int64_t> result);
  [[nodiscard]] bool helper_vanished();

  const BorrowPlan& plan_;
  int socket_;
  Tracees& tracees_;
  pid_t helper_ = 0;
  HoldReport holds_;
};

// A stopped helper goes away in one way only: with its process or its program.
bool Session::helper_vanished() { return helper_ != 0 && !tracees_.registers(helper_); }

// What failed while the helper vanished failed because of that, whatever step met
// it: a call of ptrace, a file below the helper's folder.
bool Session::reply(Result<std::int64_t> result) {
  if (!result && result.error().reason == "system-call-failed" && helper_vanished())
    result = target_gone();
  TracerReply reply;
  reply.ok = result.has_value();
  reply.helper = helper_;
  reply.holds = holds_;
  if (result) {
    reply.value = *result;
  } else {
    reply.code = result.error().code;
    copy_text(reply.reason, result.error().reason);
    copy_text(reply.message, result.error().message);
    copy_text(reply.hint, result.error().hint);
  }
  return ::send(socket_, &reply, sizeof reply, MSG_NOSIGNAL) == sizeof reply;
}

Status Session::run_to_syscall_stop() {
  NOHALT_CHECK(tracees_.request(PTRACE_SYSCALL, helper_));
  while (const auto event = tracees_.next(helper_, monotonic_ns() + kCallPatience)) {
    if (event->ended()) {
      helper_ = 0;
      return target_gone();
    }
    if (event->syscall_stop()) return {};
    // A stop of the whole process: the helper goes on through it.
    NOHALT_CHECK(tracees_.request(PTRACE_SYSCALL, helper_));
  }
  return fail(ErrorCode::kRefused, "helper-stuck",
              "A system call in the helper thread does not return.", "Try again later.");
}

Result<std::int64_t> Session::call(long number, const std::array<std::uint64_t, 6>& arguments) {
  if (helper_ == 0) return target_gone();
  NOHALT_TRY(auto r, tracees_.registers(helper_));
  r.rip = plan_.gadgets.syscall_ret.value;
  r.rsp = plan_.scratch.value;
  r.orig_rax = ~0ULL;
  r.rax = static_cast<unsigned long long>(number);
  r.rdi = arguments[0], r.rsi = arguments[1], r.rdx = arguments[2];
  r.r10 = arguments[3], r.r8 = arguments[4], r.r9 = arguments[5];
  NOHALT_CHECK(tracees_.set_registers(helper_, r));
  NOHALT_CHECK(run_to_syscall_stop());
  NOHALT_CHECK(run_to_syscall_stop());
  NOHALT_TRY(const auto after, tracees_.registers(helper_));
  return static_cast<std::int64_t>(after.rax);
}

Status Session::begin() {
  NOHALT_TRY(helper_, borrow(plan_, tracees_, holds_));
  NOHALT_TRY(const auto closed, call(SYS_close_range, {0, ~0U, CLOSE_RANGE_UNSHARE, 0, 0, 0}));
  if (closed != 0)
    return fail(ErrorCode::kRefused, "kernel-too-old",
                "The kernel cannot give the helper thread a descriptor table of its own.",
                "Linux 5.9 or newer is needed.");
  // By its name a later run knows a helper that a killed run left in a call.
  const RuntimeAddress text = plan_.scratch + kScratchTextOffset;
  NOHALT_CHECK(plan_.memory->write(text, std::as_bytes(std::span(kHelperName))));
  NOHALT_CHECK(call(SYS_prctl, {PR_SET_NAME, text.value, 0, 0, 0, 0}));
  return {};
}

Status Session::finish() {
  if (helper_ == 0) return {};
  NOHALT_TRY(auto r, tracees_.registers(helper_));
  r.rip = plan_.gadgets.syscall_ret.value;
  r.rsp = plan_.scratch.value;
  r.orig_rax = ~0ULL;
  r.rax = SYS_exit;
  r.rdi = 0;
  NOHALT_CHECK(tracees_.set_registers(helper_, r));
  NOHALT_CHECK(tracees_.request(PTRACE_CONT, helper_));
  for (;;) {
    const auto event = tracees_.next(helper_, monotonic_ns() + kCallPatience);
    if (!event)
      return fail(ErrorCode::kInternal, "helper-stuck", "The helper thread does not end.",
                  "It ends by itself as soon as it gets processor time.");
    if (event->ended()) break;
    NOHALT_CHECK(tracees_.request(PTRACE_CONT, helper_));
  }
  helper_ = 0;
  const std::array<std::byte, kScratchSize> zeros{};
  return plan_.memory->write(plan_.scratch, zeros);
}

// False when the session is over.
Result<bool> Session::serve_one() {
  TracerRequest request;
  const ssize_t n = ::recv(socket_, &request, sizeof request, MSG_DONTWAIT);
  if (n < 0 && errno == EAGAIN) return true;
  if (n != sizeof request) return false;
  if (request.op == TracerOp::kFinish) return false;
  if (request.op == TracerOp::kSurvey)
    return reply(static_cast<std::int64_t>(survey(request.survey, tracees_, holds_)));
  if (request.op == TracerOp::kStandStill) {
    if (helper_ == 0) return reply(target_gone());
    const Status stood =
        stand_still(request.order, plan_.pid, helper_, *plan_.memory, tracees_, holds_);
    return reply(stood ? Result<std::int64_t>(0) : std::unexpected(stood.error()));
  }
  auto result = call(request.number, request.arguments);
  return reply(result) && result.has_value();
}

void Session::run() {
  const Status begun = begin();
  bool listening = reply(begun ? Result<std::int64_t>(0) : std::unexpected(begun.error()));
  listening = listening && begun;
  std::uint64_t silent_at = monotonic_ns() + kToolSilence;
  while (listening && monotonic_ns() < silent_at) {
    if (const auto event = tracees_.next(0, silent_at, socket_)) {
      if (event->tid == helper_ && event->ended()) helper_ = 0;
      continue;
    }
    if (monotonic_ns() >= silent_at) break;
    const auto more = serve_one();
    listening = more.has_value() && *more;
    silent_at = monotonic_ns() + kToolSilence;
  }
  const Status finished = finish();
  if (begun) reply(finished ? Result<std::int64_t>(0) : std::unexpected(finished.error()));
}

// Only what is needed stays open, so that no pipe or lock of the tool outlives it.
void close_other_descriptors(int one, int other) {
  const auto low = static_cast<unsigned>(std::min(one, other));
  const auto high = static_cast<unsigned>(std::max(one, other));
  if (low > 0) ::close_range(0, low - 1, 0);
  if (high > low + 1) ::close_range(low + 1, high - 1, 0);
  ::close_range(high + 1, ~0U, 0);
}

}  // namespace

void block_all_signals() {
  sigset_t all;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, nullptr);
}

void run_tracer(const BorrowPlan& plan, int socket, Heartbeat& heartbeat) {
  ::setsid();
  ::signal(SIGCHLD, SIG_DFL);
  ::prctl(PR_SET_NAME, "nohalt-tracer");
  ::mlockall(MCL_CURRENT | MCL_ONFAULT);
  close_other_descriptors(socket, plan.memory->descriptor());
  if (auto tracees = Tracees::create(heartbeat)) Session(plan, socket, *tracees).run();
  ::_exit(0);
}

}  // namespace nohalt::target
