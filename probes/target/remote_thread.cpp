// The tool's end of a session: starts tracer and watchdog, speaks to the tracer,
// and sees to it that nothing is left whichever of them ended first.
#include "probes/target/remote_thread.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <new>
#include <string>

#include "probes/target/image.h"
#include "probes/target/target_gone.h"
#include "probes/target/threads.h"
#include "probes/target/tracer.h"
#include "probes/target/watchdog.h"
#include "src/base/file.h"

namespace nohalt::target {

namespace {

constexpr const char* kTracerKilled = "tracer-killed";
constexpr int kReplyPatience = 15'000;  // ms; the tracer's own patience is shorter
// Without a tracer that puts it first, the helper has its turn after every thread
// of a busy target, and needs a few.
constexpr std::uint64_t kHelperEndPatience = 10'000 * kMillisecond;
// A tracer has this long to end its helper, and itself, once nobody listens.
constexpr std::uint64_t kTracerEndPatience = kCallPatience + 1'000 * kMillisecond;

// A helper, or a borrowed thread that has yet to make one, after its tracer died.
// Both block every signal; so does a thread of the C library before its first
// step, for a moment, and a worker of io_uring, always.
bool may_be_ours(const std::string& folder) {
  const auto name = read_file(folder + "/comm");
  const auto status = read_file(folder + "/status");
  if (!name || !status || name->starts_with("iou-")) return false;
  std::uint64_t mask = 0;
  const auto text = status_field(*status, "SigBlk");
  (void)std::from_chars(text.data(), text.data() + text.size(), mask, 16);
  return mask == kFullSignalMask || name->starts_with(kHelperName);
}

bool helper_about(pid_t pid) {
  const auto tids = list_threads(pid);
  if (!tids) return false;
  return std::ranges::any_of(*tids, [&](pid_t tid) {
    return may_be_ours("/proc/" + std::to_string(pid) + "/task/" + std::to_string(tid));
  });
}

// The scratch words are the helper's stack: zero under it would be its end, and
// the target's. Two looks in a row must find nobody, because a helper may be born
// between the list of the first look and its sight of the borrowed thread.
Status wait_until_no_helper(pid_t pid) {
  const std::uint64_t deadline = monotonic_ns() + kHelperEndPatience;
  for (int clear = 0; clear < 2;) {
    clear = helper_about(pid) ? 0 : clear + 1;
    if (clear == 2) break;
    if (monotonic_ns() >= deadline)
      return fail(ErrorCode::kRefused, "previous-run-ending",
                  "A helper thread of a run that was killed has not ended yet.",
                  "It ends by itself as soon as it gets processor time: try again.");
    ::usleep(1000);
  }
  return {};
}

// Waits for the end of a child; one that is stopped would take for ever, and is
// ended after `patience`.
Status reap_process(pid_t& pid, std::uint64_t patience) {
  if (pid == 0) return {};
  const pid_t child = std::exchange(pid, 0);
  const std::uint64_t deadline = monotonic_ns() + patience;
  int status = 0;
  pid_t reaped = ::waitpid(child, &status, WNOHANG);
  while (reaped == 0 && monotonic_ns() < deadline) {
    ::usleep(500);
    reaped = ::waitpid(child, &status, WNOHANG);
  }
  if (reaped == 0) {
    ::kill(child, SIGKILL);
    do {
      reaped = ::waitpid(child, &status, 0);
    } while (reaped < 0 && errno == EINTR);
  }
  if (reaped < 0) return {};
  if (WIFEXITED(status)) return {};
  return fail(ErrorCode::kInternal, kTracerKilled,
              "The process that held the target was ended, by its watchdog or from outside.",
              "`nohalt sweep` removes what it may have left; then try again.");
}

}  // namespace

bool session_was_lost(const Error& error) {
  return error.reason == kSessionOver || error.reason == kTracerKilled;
}

RemoteThread::RemoteThread(RemoteThread&& other) noexcept
    : process_(other.process_),
      lock_(other.lock_),
      gadgets_(other.gadgets_),
      scratch_(std::exchange(other.scratch_, {})),
      heartbeat_(std::exchange(other.heartbeat_, nullptr)),
      socket_(std::move(other.socket_)),
      tracer_(std::exchange(other.tracer_, 0)),
      watchdog_(std::exchange(other.watchdog_, 0)),
      helper_(std::exchange(other.helper_, 0)),
      holds_(other.holds_),
      earlier_(other.earlier_) {}

RemoteThread::~RemoteThread() { (void)finish(); }

Result<RemoteThread> RemoteThread::borrow(const Process& process, const TargetLock& lock,
                                          HoldReport* failed) {
  HoldReport holds;
  for (int attempt = 1;; ++attempt) {
    auto thread = borrow_once(process, lock, holds);
    // A tracer that got no processor time in time was ended by the watchdog
    // before anything was done.
    constexpr int kAttempts = 3;
    if (thread) return thread;
    if (session_was_lost(thread.error()) && attempt < kAttempts) continue;
    if (failed != nullptr) failed->add(holds);
    return thread;
  }
}

// `earlier` are the holds of attempts that came to nothing; this one may add to them.
Result<RemoteThread> RemoteThread::borrow_once(const Process& process, const TargetLock& lock,
                                               HoldReport& earlier) {
  const Memory& memory = lock.memory();
  NOHALT_TRY(const auto maps, read_maps(process.pid()));
  NOHALT_TRY(const auto images, Images::read(process.pid(), maps, memory));
  NOHALT_TRY(const Gadgets gadgets, find_gadgets(images, maps, memory));
  NOHALT_TRY(const RuntimeAddress scratch,
             find_scratch(images, maps, memory, process.facts().heap_start));
  NOHALT_TRY(const auto left, memory.read_value<std::uint64_t>(scratch));
  if (left != 0) NOHALT_CHECK(wait_until_no_helper(process.pid()));
  const auto chain = exit_chain(gadgets);
  NOHALT_CHECK(memory.write(scratch, std::as_bytes(std::span(chain))));
  RemoteThread thread(process, lock);
  thread.gadgets_ = gadgets;
  thread.scratch_ = scratch;
  thread.holds_ = thread.earlier_ = earlier;
  BorrowPlan plan;
  plan.pid = process.pid();
  plan.gadgets = gadgets;
  plan.scratch = scratch;
  plan.memory = &memory;
  if (auto started = thread.start(plan); !started) {
    (void)thread.finish();
    earlier = thread.holds_;
    return std::unexpected(std::move(started).error());
  }
  return thread;
}

Status RemoteThread::start(const BorrowPlan& plan) {
  void* page =
      ::mmap(nullptr, sizeof(Heartbeat), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return fail_errno("mmap", "the heartbeat page", errno);
  heartbeat_ = new (page) Heartbeat{};
  heartbeat_->beat.store(monotonic_ns(), std::memory_order_release);
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    return fail_errno("socketpair", "", errno);
  socket_ = UniqueFd(ends[0]);
  UniqueFd theirs(ends[1]);
  sigset_t before;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &before);
  block_all_signals();
  tracer_ = ::fork();
  if (tracer_ == 0) {
    // It starts only once the watchdog is there to watch it, and ends should the
    // tool end first: so the tool's end of the socket must not stay open here.
    socket_.reset();
    char go = 0;
    if (::recv(theirs.get(), &go, 1, 0) == 1) run_tracer(plan, theirs.get(), *heartbeat_);
    ::_exit(0);
  }
  const int error_number = errno;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (tracer_ < 0) {
    tracer_ = 0;
    return fail_errno("fork", "the tracer", error_number);
  }
  put_before_others(tracer_);
  theirs.reset();
  const UniqueFd tracer_fd(static_cast<int>(::syscall(SYS_pidfd_open, tracer_, 0)));
  if (!tracer_fd.valid()) return fail_errno("pidfd_open", "the tracer", errno);
  NOHALT_TRY(watchdog_, start_watchdog(tracer_fd.get(), *heartbeat_));
  if (::send(socket_.get(), "g", 1, MSG_NOSIGNAL) != 1) return session_over();
  NOHALT_CHECK(receive());
  return {};
}

// An execve ends the helper, and may end the session before it can say so.
std::unexpected<Error> RemoteThread::session_over() const {
  if (!memory().read_value<std::uint8_t>(gadgets_.syscall_ret) || !process_->check_alive())
    return target_gone();
  return fail(ErrorCode::kInternal, kSessionOver,
              "The process that held the target has ended; the target runs on.",
              "Try again; a tool that is stopped for some seconds loses its hold.");
}

// The tracer died with a thread in its hand, which it could not report any more.
void RemoteThread::note_lost_hold() {
  const HoldPhase phase = heartbeat_->phase.exchange(HoldPhase::kNothing);
  std::uint64_t since = heartbeat_->detour_since.exchange(0);
  if (since == 0 && phase == HoldPhase::kHolding)
    since = heartbeat_->held_since.load(std::memory_order_acquire);
  const std::uint32_t threads = std::max(1U, heartbeat_->held_threads.exchange(0));
  for (std::uint32_t i = 0; since != 0 && i < threads; ++i) holds_.add(monotonic_ns() - since);
}

Result<TracerReply> RemoteThread::receive() {
  TracerReply reply;
  pollfd ready{socket_.get(), POLLIN, 0};
  int polled = 0;
  do {
    polled = ::poll(&ready, 1, kReplyPatience);
  } while (polled < 0 && errno == EINTR);
  if (polled <= 0 || ::recv(socket_.get(), &reply, sizeof reply, 0) != sizeof reply) {
    note_lost_hold();
    return session_over();
  }
  helper_ = reply.helper;
  holds_ = earlier_;
  holds_.add(reply.holds);
  if (reply.ok) return reply;
  return fail(reply.code, reply.reason.data(), reply.message.data(), reply.hint.data());
}

Status RemoteThread::send(const TracerRequest& request) {
  if (::send(socket_.get(), &request, sizeof request, MSG_NOSIGNAL) ==
      static_cast<ssize_t>(sizeof request))
    return {};
  return session_over();
}

Result<std::int64_t> RemoteThread::raw_call(long number,
                                            const std::array<std::uint64_t, 6>& arguments) {
  TracerRequest request;
  request.number = number;
  request.arguments = arguments;
  NOHALT_CHECK(send(request));
  NOHALT_TRY(const TracerReply reply, receive());
  return reply.value;
}

Result<std::uint64_t> RemoteThread::survey(const SurveyQuestion& question) {
  TracerRequest request;
  request.op = TracerOp::kSurvey;
  request.survey = question;
  NOHALT_CHECK(send(request));
  NOHALT_TRY(const TracerReply reply, receive());
  return static_cast<std::uint64_t>(reply.value);
}

Status RemoteThread::stand_still(const StandStillOrder& order) {
  TracerRequest request;
  request.op = TracerOp::kStandStill;
  request.order = order;
  NOHALT_CHECK(send(request));
  NOHALT_TRY([[maybe_unused]] const TracerReply reply, receive());
  return {};
}

Result<std::uint64_t> RemoteThread::call(std::string_view what, long number,
                                         const std::array<std::uint64_t, 6>& arguments) {
  NOHALT_TRY(const std::int64_t value, raw_call(number, arguments));
  constexpr std::int64_t kLargestError = 4095;
  if (value >= 0 || value < -kLargestError) return static_cast<std::uint64_t>(value);
  auto error = fail_errno(what, "in the target", static_cast<int>(-value)).error();
  error.reason = "remote-call-failed";
  error.code = ErrorCode::kRefused;
  return std::unexpected(std::move(error));
}

Result<RuntimeAddress> RemoteThread::put_text(std::string_view text) {
  if (text.size() >= kScratchTextSize)
    return fail(ErrorCode::kInternal, "text-too-long", "A name is too long for the scratch words.");
  std::array<std::byte, kScratchTextSize> bytes{};
  std::ranges::copy(std::as_bytes(std::span(text)), bytes.begin());
  const RuntimeAddress at = scratch_ + kScratchTextOffset;
  NOHALT_CHECK(memory().write(at, bytes));
  return at;
}

Result<UniqueFd> RemoteThread::open_remote_descriptor(std::uint64_t remote, int flags) const {
  const std::string path = "/proc/" + std::to_string(process_->pid()) + "/task/" +
                           std::to_string(helper_) + "/fd/" + std::to_string(remote);
  UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC));
  if (fd.valid()) return fd;
  if (errno != ENOENT) return fail_errno("open", path, errno);
  // The helper is no more: because its tracer ended, which hangs up, or because
  // the target did.
  pollfd hung_up{socket_.get(), POLLIN, 0};
  if (::poll(&hung_up, 1, 0) > 0) return session_over();
  return target_gone();
}

// The tracer did not live to clean up: the helper ends by itself, then the words
// go back to zero.
Status RemoteThread::clear_scratch_after_loss() {
  if (scratch_.value == 0) return {};
  NOHALT_CHECK(wait_until_no_helper(process_->pid()));
  const std::array<std::byte, kScratchSize> zeros{};
  return memory().write(scratch_, zeros);
}

Status RemoteThread::reap() {
  socket_.reset();
  Status tracer = reap_process(tracer_, kTracerEndPatience);
  (void)reap_process(watchdog_, 0);  // there is nothing left to watch
  if (heartbeat_ != nullptr) ::munmap(std::exchange(heartbeat_, nullptr), sizeof(Heartbeat));
  return tracer;
}

Status RemoteThread::finish() {
  if (scratch_.value == 0) return {};
  Status finished = fail(ErrorCode::kInternal, kSessionOver, "There was no helper thread.");
  if (helper_ != 0) {
    TracerRequest request;
    request.op = TracerOp::kFinish;
    (void)send(request);
    auto reply = receive();
    finished = reply ? Status{} : std::unexpected(std::move(reply).error());
  }
  // Once its tracer is gone the borrowed thread is on its own way, if it was not.
  const Status reaped = reap();
  const Status cleared = finished ? Status{} : clear_scratch_after_loss();
  scratch_ = {};
  helper_ = 0;
  if (!finished && finished.error().code == ErrorCode::kTargetGone) return finished;
  return cleared ? reaped : cleared;
}

}  // namespace nohalt::target
