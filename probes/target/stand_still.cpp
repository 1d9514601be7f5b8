// One attempt: wait for a moment, stop all, look, write, let go.
//
// No file is opened and nothing is allocated while threads are held, unless new ones
// turn up.
#include "probes/target/stand_still.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "probes/target/restart.h"
#include "probes/target/stack_copy.h"
#include "probes/target/stopped_threads.h"
#include "probes/target/target_gone.h"
#include "probes/target/text_patches.h"
#include "probes/target/threads.h"
#include "src/base/unique_fd.h"

namespace nohalt::target {

namespace {

using Thread = StoppedThreads::Thread;

constexpr int kTries = 8;
constexpr std::uint64_t kFirstPause = 10 * kMillisecond;         // doubled after each try
constexpr std::uint64_t kMomentPatience = 2'000 * kMillisecond;  // nobody is held meanwhile
constexpr std::uint64_t kBetweenLooks = 5 * kMillisecond;
// A thread that moves data through a call is seen running now and then.
constexpr int kQuietLooks = 6;
// As measured: what each thread adds, and what there is without any.
constexpr std::uint64_t kEachThread = 25'000;
constexpr std::uint64_t kAllThreads = 150'000;

std::unexpected<Error> refuse(const char* reason, std::string message,
                              const char* hint = "Try again: another moment may do.") {
  return fail(ErrorCode::kRefused, reason, std::move(message), hint);
}

std::string numbered(const char* what, long number) { return what + std::to_string(number); }

class StandStill {
 public:
  StandStill(const StandStillOrder& order, pid_t pid, pid_t helper, Tracees& tracees,
             StoppedThreads threads, TextPatches text)
      : order_(order),
        pid_(pid),
        helper_(helper),
        tracees_(tracees),
        threads_(std::move(threads)),
        text_(std::move(text)) {}

  Status run();

 private:
  Status open_files();
  Status wait_for_a_moment();
  [[nodiscard]] std::optional<std::string> who_bears_no_stop();
  Status attempt();
  Status change();
  Status look();
  Status look_at(const Thread& thread);
  Status lead_out();
  Status write();
  [[nodiscard]] const Detour* detour_at(std::uint64_t pc) const;
  [[nodiscard]] std::uint64_t longest() const {
    return std::min(order_.longest_hold, kLongestStandStill);
  }

  const StandStillOrder& order_;
  pid_t pid_;
  pid_t helper_;
  Tracees& tracees_;
  StoppedThreads threads_;
  TextPatches text_;
  std::vector<UniqueFd> files_;  // one a patch
  StackCopy stack_;
};

Status StandStill::open_files() {
  const std::string files =
      "/proc/" + std::to_string(pid_) + "/task/" + std::to_string(helper_) + "/fd/";
  for (const FilePatch& patch : std::span(order_.patches).first(order_.patch_count)) {
    const std::string path = files + std::to_string(patch.remote_file);
    files_.emplace_back(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!files_.back().valid()) return fail_on_target("open", path, errno);
  }
  return {};
}

std::optional<std::string> StandStill::who_bears_no_stop() {
  for (const Thread& thread : threads_.all()) {
    tracees_.heartbeat().beat.store(monotonic_ns(), std::memory_order_release);
    const auto call = read_blocked_call(pid_, thread.tid);
    if (!call || !*call) continue;  // it has ended, or runs
    if (stop_cost(**call) <= StopCost::kReads || !thread_lives(pid_, thread.tid)) continue;
    return numbered("Thread ", thread.tid) + numbered(" is in a call (number ", (*call)->number) +
           ") that a stop would cut short.";
  }
  return std::nullopt;
}

Status StandStill::wait_for_a_moment() {
  const std::uint64_t deadline = monotonic_ns() + kMomentPatience;
  for (int quiet = 0;;) {
    NOHALT_CHECK(threads_.list());
    const auto who = who_bears_no_stop();
    quiet = who ? 0 : quiet + 1;
    if (quiet == kQuietLooks) return {};
    if (who && monotonic_ns() >= deadline)
      return refuse("thread-in-transfer", *who,
                    "Try again when it is through, or choose a place that needs no stop.");
    (void)tracees_.next(-1, monotonic_ns() + kBetweenLooks);
  }
}

const Detour* StandStill::detour_at(std::uint64_t pc) const {
  const auto detours = std::span(order_.detours).first(order_.detour_count);
  const auto found = std::ranges::find(detours, RuntimeAddress{pc}, &Detour::from);
  return found == detours.end() ? nullptr : &*found;
}

Status StandStill::look_at(const Thread& thread) {
  const std::uint64_t pc = thread.registers.rip;
  const RuntimeAddress stays = detour_at(pc) == nullptr ? RuntimeAddress{pc} : RuntimeAddress{};
  stack_.take(thread.tid, stays, {thread.registers.rsp});
  switch (stack_.where(std::span(order_.windows).first(order_.window_count))) {
    case Whereabouts::kOutside:
      return {};
    case Whereabouts::kInside:
      return refuse("handler-in-window",
                    "A signal handler runs on top of the code that is to be changed.");
    case Whereabouts::kUnknown:
      break;
  }
  return refuse("stack-not-seen",
                numbered("The stack of thread ", thread.tid) + " cannot be seen to its end.");
}

// Every thread is at a place where the windows' bytes may change, and there is time.
Status StandStill::look() {
  // An execve, which is the end of the helper, cannot come any more.
  if (!tracees_.registers(helper_)) return target_gone();
  for (const Thread& thread : threads_.all())
    if (thread.state == Thread::kStands) NOHALT_CHECK(look_at(thread));
  NOHALT_CHECK(text_.check());
  if (monotonic_ns() - threads_.since() + threads_.release_time() <= longest()) return {};
  return refuse("hold-too-long", "Stopping the target's threads takes longer than is allowed.",
                "Try again when the machine is calmer, or ask for a longer hold: "
                "--allow-stop=TIME.");
}

Status StandStill::lead_out() {
  for (Thread& thread : threads_.all()) {
    if (thread.state != Thread::kStands) continue;
    const Detour* detour = detour_at(thread.registers.rip);
    if (detour == nullptr) continue;
    thread.registers.rip = detour->to.value;
    NOHALT_CHECK(tracees_.set_registers(thread.tid, thread.registers));
  }
  return {};
}

Status StandStill::write() {
  for (std::size_t i = 0; i < order_.patch_count; ++i) {
    const FilePatch& patch = order_.patches[i];
    if (::pwrite(files_[i].get(), patch.bytes.data(), patch.size,
                 static_cast<off_t>(patch.offset)) != static_cast<ssize_t>(patch.size))
      return fail_errno("pwrite", "a page of code", errno);
  }
  return text_.write();
}

Status StandStill::change() {
  NOHALT_CHECK(threads_.stop(longest()));
  NOHALT_CHECK(look());
  NOHALT_CHECK(lead_out());
  return write();
}

Status StandStill::attempt() {
  NOHALT_CHECK(wait_for_a_moment());
  const Status done = change();
  threads_.let_go();
  return done;
}

bool worth_another_try(const Error& error) {
  constexpr std::string_view kPassing[] = {"handler-in-window", "stack-not-seen",
                                           "thread-does-not-stop", "hold-too-long",
                                           "threads-change"};
  return std::ranges::find(kPassing, error.reason) != std::end(kPassing);
}

Status StandStill::run() {
  NOHALT_CHECK(open_files());
  for (int tries = 1;; ++tries) {
    const Status done = attempt();
    if (done || tries == kTries || !worth_another_try(done.error())) return done;
    (void)tracees_.next(-1, monotonic_ns() + (kFirstPause << tries));
  }
}

}  // namespace

std::chrono::microseconds expected_stand_still(std::size_t threads) {
  return std::chrono::microseconds((kAllThreads + kEachThread * threads) / 1000);
}

Status stand_still(const StandStillOrder& order, pid_t pid, pid_t helper, const Memory& memory,
                   Tracees& tracees, HoldReport& holds) {
  NOHALT_TRY(StoppedThreads threads, StoppedThreads::open(pid, helper, tracees, holds));
  NOHALT_TRY(
      TextPatches text,
      TextPatches::open(pid, memory, std::span(order.text_patches).first(order.text_patch_count)));
  return StandStill(order, pid, helper, tracees, std::move(threads), std::move(text)).run();
}

}  // namespace nohalt::target
