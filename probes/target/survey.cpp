// Interrupt all, serve each stop as it comes, abandon those that did not come.
#include "probes/target/survey.h"

#include <sys/ptrace.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <vector>

namespace nohalt::target {

namespace {

constexpr std::uint64_t kStopPatience = 300 * kMillisecond;
constexpr std::uint64_t kLongestScan = 256 * 1024;

class Survey {
 public:
  Survey(const SurveyQuestion& question, const Memory& memory, Tracees& tracees, HoldReport& holds)
      : question_(question), memory_(memory), tracees_(tracees), holds_(holds) {}

  std::uint64_t run() {
    enter(HoldPhase::kSeizing);
    for (std::uint32_t i = 0; i < question_.thread_count; ++i) ask(i);
    const std::uint64_t deadline = monotonic_ns() + kStopPatience;
    while (!asked_.empty()) {
      const auto event = tracees_.next(0, deadline);
      if (!event) break;
      serve(*event);
    }
    for (const auto& [tid, index] : asked_) tracees_.abandon(tid);
    enter(HoldPhase::kHelper);
    return outside_;
  }

 private:
  void enter(HoldPhase phase) {
    const std::uint64_t now = monotonic_ns();
    tracees_.heartbeat().beat.store(now, std::memory_order_release);
    if (phase == HoldPhase::kHolding)
      tracees_.heartbeat().held_since.store(now, std::memory_order_release);
    tracees_.heartbeat().phase.store(phase, std::memory_order_release);
  }

  void ask(std::uint32_t index) {
    const pid_t tid = question_.threads[index];
    const Status seized = tracees_.seize(tid);
    if (seized && tracees_.request(PTRACE_INTERRUPT, tid)) {
      asked_.emplace(tid, index);
    } else if (!seized && seized.error().code == ErrorCode::kTargetGone) {
      mark_outside(index);
    }
  }

  void serve(const TraceEvent& event) {
    const auto found = asked_.find(event.tid);
    if (found == asked_.end()) return;
    const std::uint32_t index = found->second;
    if (event.ended()) {
      mark_outside(index);
    } else if (event.event_stop() || event.group_stop()) {
      look_and_let_go(event.tid, index);
    } else {
      const auto signal = static_cast<std::uint64_t>(event.signal());
      static_cast<void>(tracees_.request(PTRACE_CONT, event.tid, 0, signal));
      return;
    }
    asked_.erase(found);
  }

  void look_and_let_go(pid_t tid, std::uint32_t index) {
    enter(HoldPhase::kHolding);
    const std::uint64_t since = monotonic_ns();
    const auto registers = tracees_.registers(tid);
    const std::span code(question_.code.data(), question_.code_count);
    if (registers && is_outside(code, memory_, {registers->rip}, {registers->rsp}))
      mark_outside(index);
    static_cast<void>(tracees_.let_go(tid));
    holds_.add(monotonic_ns() - since);
    enter(HoldPhase::kSeizing);
  }

  void mark_outside(std::uint32_t index) { outside_ |= std::uint64_t{1} << index; }

  const SurveyQuestion& question_;
  const Memory& memory_;
  Tracees& tracees_;
  HoldReport& holds_;
  std::map<pid_t, std::uint32_t> asked_;  // and not yet stopped; the index in the question
  std::uint64_t outside_ = 0;
};

}  // namespace

bool is_outside(std::span<const RuntimeRange> code, const Memory& memory, RuntimeAddress pc,
                RuntimeAddress stack_pointer) {
  const auto in_code = [&](std::uint64_t address) {
    return std::any_of(code.begin(), code.end(),
                       [&](const RuntimeRange& range) { return range.contains({address}); });
  };
  if (in_code(pc.value)) return false;
  std::vector<std::uint64_t> words(kLongestScan / sizeof(std::uint64_t));
  const std::uint64_t begin = stack_pointer.value & ~std::uint64_t{7};
  // Gives what there is up to the end of the stack.
  const ssize_t n =
      ::pread(memory.descriptor(), words.data(), kLongestScan, static_cast<off_t>(begin));
  if (n <= 0) return false;
  words.resize(static_cast<std::size_t>(n) / sizeof(std::uint64_t));
  return std::none_of(words.begin(), words.end(), in_code);
}

std::uint64_t survey(const SurveyQuestion& question, const Memory& memory, Tracees& tracees,
                     HoldReport& holds) {
  return Survey(question, memory, tracees, holds).run();
}

}  // namespace nohalt::target
