// Each thread is looked at until it was seen outside once. A thread that sleeps
// is looked at without a stop: its pc, stack pointer and stack count only if it
// has had no processor time between the first reading and the last.
#include "probes/target/drain.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "probes/target/memory_sharing.h"
#include "probes/target/sampler.h"
#include "probes/target/saved_context.h"
#include "probes/target/stack_copy.h"
#include "probes/target/survey.h"
#include "probes/target/threads.h"
#include "src/base/file.h"

namespace nohalt::target {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kBetweenLooks{2};
// A thread that was never seen asleep in this time computes. One that was might
// enter a call at the moment it is stopped, and have it cut short.
constexpr std::chrono::milliseconds kTimeToFallAsleep{100};
// One that was, but never long enough to be looked at, hardly sleeps at all.
constexpr std::chrono::milliseconds kTimeToSleepOn{1000};
// However many threads there are, and however slowly they come by.
constexpr std::chrono::milliseconds kLongest{15'000};
// The session ends by itself when nothing is heard of for five seconds.
constexpr std::chrono::milliseconds kSignOfLife{1000};

// Processor time, waiting time and time slices of a thread; empty: not known.
std::string running_times(pid_t pid, pid_t tid) {
  const auto text =
      read_file("/proc/" + std::to_string(pid) + "/task/" + std::to_string(tid) + "/schedstat");
  // What a kernel says that does not count.
  constexpr std::string_view kNotCounted = "0 0 0\n";
  return text && *text != kNotCounted ? *text : "";
}

// The main thread of a process stays as a zombie until the others have ended.
bool has_ended(pid_t pid, pid_t tid) {
  if (::syscall(SYS_tgkill, pid, tid, 0) != 0) return errno == ESRCH;
  const auto thread = read_thread(pid, tid);
  return thread && (thread->state == 'Z' || thread->state == 'X');
}

class Drain {
 public:
  Drain(RemoteThread& thread, std::span<const RuntimeRange> code)
      : thread_(thread), code_(code), sampler_(thread.process().pid(), code) {}

  // Whoever is here now. A thread that is born later cannot get in. A listing may
  // pass one over when another ends meanwhile, hence more than one.
  Status begin() {
    constexpr int kListings = 3;
    for (int i = 0; i < kListings; ++i) {
      NOHALT_TRY(const auto threads, list_threads(thread_.process().pid()));
      inside_.insert(threads.begin(), threads.end());
    }
    inside_.erase(thread_.helper());
    return {};
  }

  // One look at all threads not yet seen outside; gives how many are left.
  Result<std::size_t> look() {
    asleep_.clear();
    for (auto at = inside_.begin(); at != inside_.end();) {
      NOHALT_CHECK(show_life());
      at = sleeps_outside(*at) ? inside_.erase(at) : std::next(at);
    }
    slept_.insert(asleep_.begin(), asleep_.end());
    if (sampler_.works()) sampler_.look(inside_);
    const std::vector<pid_t> awake = whom_to_stop();
    for (std::size_t at = 0; at < awake.size(); at += kMostSurveyed)
      NOHALT_CHECK(ask(std::span(awake).subspan(at, std::min(kMostSurveyed, awake.size() - at))));
    NOHALT_CHECK(show_life());
    return inside_.size();
  }

  // Keeps the session from ending: for who does something long between calls.
  Status show_life() {
    if (Clock::now() - sign_of_life_ < kSignOfLife) return {};
    sign_of_life_ = Clock::now();
    NOHALT_CHECK(thread_.raw_call(SYS_getpid, {}));
    return {};
  }

 private:
  // True also where the thread has ended.
  [[nodiscard]] bool sleeps_outside(pid_t tid) {
    const pid_t pid = thread_.process().pid();
    const auto sleeps = read_blocked_call(pid, tid);
    if (!sleeps || (*sleeps && (*sleeps)->stack_pointer.value == 0)) return has_ended(pid, tid);
    if (!*sleeps) return false;
    asleep_.insert(tid);
    const std::string before = running_times(pid, tid);
    const auto call = read_blocked_call(pid, tid);
    if (before.empty() || !call || !*call) return false;
    stack_.take(tid, (*call)->program_counter, (*call)->stack_pointer);
    return running_times(pid, tid) == before && stack_.where(code_) == Whereabouts::kOutside;
  }

  // Never a thread that sleeps at this moment, and nobody as long as there is
  // another way.
  [[nodiscard]] std::vector<pid_t> whom_to_stop() const {
    const auto time = Clock::now() - began_;
    const bool soon = time < kTimeToSleepOn;
    if (time < kTimeToFallAsleep || (soon && sampler_.works())) return {};
    const std::set<pid_t>& spared = soon ? slept_ : asleep_;
    std::vector<pid_t> threads;
    std::ranges::copy_if(inside_, std::back_inserter(threads), [&](pid_t tid) {
      return !spared.contains(tid) && (!sampler_.works() || sampler_.unclear().contains(tid));
    });
    return threads;
  }

  Status ask(std::span<const pid_t> threads) {
    SurveyQuestion question;
    std::ranges::copy(threads, question.threads.begin());
    question.thread_count = static_cast<std::uint32_t>(threads.size());
    std::ranges::copy(code_, question.code.begin());
    question.code_count = static_cast<std::uint32_t>(code_.size());
    NOHALT_TRY(const std::uint64_t outside, thread_.survey(question));
    for (std::size_t i = 0; i < threads.size(); ++i)
      if ((outside >> i & 1) != 0) inside_.erase(threads[i]);
    return {};
  }

  RemoteThread& thread_;
  std::span<const RuntimeRange> code_;
  Sampler sampler_;
  StackCopy stack_;
  Clock::time_point began_ = Clock::now();
  Clock::time_point sign_of_life_ = began_;
  std::set<pid_t> inside_;  // not yet seen outside
  std::set<pid_t> asleep_;  // seen asleep in this look
  std::set<pid_t> slept_;   // seen asleep since the text was restored
};

// Who else runs in the target's memory, or may.
std::optional<std::string> who_shares(pid_t pid) {
  const auto other = shares_memory_outside(pid);
  if (!other)
    return "whoever shares the target's memory may be inside it. " + other.error().message;
  if (!*other) return std::nullopt;
  return "process " + std::to_string(**other) + " shares the target's memory and may be inside it";
}

Result<std::optional<std::string>> wait_for_all(Drain& drain, pid_t pid,
                                                std::chrono::milliseconds patience) {
  NOHALT_CHECK(drain.begin());
  const auto began = Clock::now();
  auto moved_on = began;
  std::size_t before = 0;
  while (true) {
    const auto look_began = Clock::now();
    NOHALT_TRY(const std::size_t left, drain.look());
    std::optional<std::string> who = "a thread may still be inside it";
    if (left == 0) who = who_shares(pid);
    if (!who) return who;
    const auto now = Clock::now();
    if (std::exchange(before, left) != left) moved_on = now;
    if (now >= std::min(moved_on + patience, began + kLongest)) return who;
    // At most half of the time of a processor that others may want.
    std::this_thread::sleep_for(std::max<Clock::duration>(kBetweenLooks, now - look_began));
  }
}

}  // namespace

Result<std::optional<std::string>> wait_until_left(RemoteThread& thread,
                                                   std::span<const RuntimeRange> code,
                                                   std::chrono::milliseconds patience) {
  if (code.empty()) return std::nullopt;
  if (code.size() > kMostSurveyed) return "it has too many parts to look for anyone inside it";
  const pid_t pid = thread.process().pid();
  Drain drain(thread, code);
  NOHALT_TRY(auto who, wait_for_all(drain, pid, patience));
  NOHALT_TRY(const Maps maps, read_maps(pid));
  if (who || !may_put_contexts_aside(pid, maps)) return who;
  NOHALT_TRY(who, find_context_in(pid, code, [&] { return drain.show_life(); }));
  if (who) return who;
  Drain again(thread, code);
  return wait_for_all(again, pid, patience);
}

}  // namespace nohalt::target
