// Each thread is looked at until it was seen outside once (survey.h says what
// that means). A thread that sleeps is looked at without a stop: its pc, stack
// pointer and stack count only if it has had no processor time between the first
// reading and the last. Only threads that compute all the time are stopped.
#include "probes/target/drain.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "probes/target/survey.h"
#include "probes/target/threads.h"
#include "src/base/file.h"

namespace nohalt::target {

namespace {

constexpr std::chrono::milliseconds kBetweenLooks{2};
// A thread that was never seen asleep in this time computes. One that was might
// enter a call at the moment it is stopped, and have it cut short.
constexpr std::chrono::milliseconds kTimeToFallAsleep{100};
// One that was, but never long enough to be looked at, hardly sleeps at all.
constexpr std::chrono::milliseconds kTimeToSleepOn{1000};
// However many threads there are, and however slowly they come by.
constexpr std::chrono::milliseconds kLongest{15'000};

// Processor time, waiting time and time slices of a thread; empty: not known.
std::string running_times(pid_t pid, pid_t tid) {
  const auto text =
      read_file("/proc/" + std::to_string(pid) + "/task/" + std::to_string(tid) + "/schedstat");
  return text ? *text : "";
}

class Drain {
 public:
  Drain(RemoteThread& thread, std::span<const RuntimeRange> code) : thread_(thread), code_(code) {}

  // Whoever is here now. A thread that is born later cannot get in.
  Status begin() {
    NOHALT_TRY(const auto threads, list_threads(thread_.process().pid()));
    inside_.insert(threads.begin(), threads.end());
    inside_.erase(thread_.helper());
    return {};
  }

  // Whom a look may stop. Never a thread that sleeps at that moment.
  enum class MayStop { kNobody, kWhoNeverSlept, kWhoIsAwake };

  // One look at all threads not yet seen outside; gives how many are left.
  Result<std::size_t> look(MayStop may_stop) {
    if (may_stop == MayStop::kWhoIsAwake) slept_.clear();
    std::erase_if(inside_, [&](pid_t tid) { return sleeps_outside(tid); });
    if (may_stop == MayStop::kNobody) return inside_.size();
    std::vector<pid_t> awake;
    std::ranges::set_difference(inside_, slept_, std::back_inserter(awake));
    for (std::size_t at = 0; at < awake.size(); at += kMostSurveyed)
      NOHALT_CHECK(ask(std::span(awake).subspan(at, std::min(kMostSurveyed, awake.size() - at))));
    return inside_.size();
  }

 private:
  // True also where the thread has ended.
  [[nodiscard]] bool sleeps_outside(pid_t tid) {
    const pid_t pid = thread_.process().pid();
    const std::string before = running_times(pid, tid);
    const auto state = read_thread(pid, tid);
    if (!state) return true;
    if (state->blocked) slept_.insert(tid);
    if (before.empty() || !state->blocked) return false;
    stack_.take(tid, state->blocked->program_counter, state->blocked->stack_pointer);
    return running_times(pid, tid) == before && stack_.is_outside(code_);
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
  StackCopy stack_;
  std::set<pid_t> inside_;  // not yet seen outside
  std::set<pid_t> slept_;   // seen asleep since the text was restored
};

Drain::MayStop may_stop_after(std::chrono::steady_clock::duration time) {
  if (time < kTimeToFallAsleep) return Drain::MayStop::kNobody;
  return time < kTimeToSleepOn ? Drain::MayStop::kWhoNeverSlept : Drain::MayStop::kWhoIsAwake;
}

}  // namespace

Result<bool> wait_until_left(RemoteThread& thread, std::span<const RuntimeRange> code,
                             std::chrono::milliseconds patience) {
  if (code.empty()) return true;
  if (code.size() > kMostSurveyed) return false;
  Drain drain(thread, code);
  NOHALT_CHECK(drain.begin());
  const auto began = std::chrono::steady_clock::now();
  auto moved_on = began;
  std::size_t before = 0;
  while (true) {
    NOHALT_TRY(const std::size_t left,
               drain.look(may_stop_after(std::chrono::steady_clock::now() - began)));
    if (left == 0) return true;
    const auto now = std::chrono::steady_clock::now();
    if (std::exchange(before, left) != left) moved_on = now;
    if (now >= std::min(moved_on + patience, began + kLongest)) return false;
    std::this_thread::sleep_for(kBetweenLooks);
  }
}

}  // namespace nohalt::target
