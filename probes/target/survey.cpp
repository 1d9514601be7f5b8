// Interrupt all, serve each stop as it comes, abandon those that did not come.
#include "probes/target/survey.h"

#include <sys/ptrace.h>

#include <map>
#include <span>

#include "probes/target/stack_copy.h"

namespace nohalt::target {

namespace {

constexpr std::uint64_t kStopPatience = 300 * kMillisecond;

class Survey {
 public:
  Survey(const SurveyQuestion& question, Tracees& tracees, HoldReport& holds)
      : question_(question), tracees_(tracees), holds_(holds) {}

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
    if (registers) stack_.take(tid, {registers->rip}, {registers->rsp});
    static_cast<void>(tracees_.let_go(tid));
    holds_.add(monotonic_ns() - since);
    enter(HoldPhase::kSeizing);
    const std::span code(question_.code.data(), question_.code_count);
    if (registers && stack_.where(code) == Whereabouts::kOutside) mark_outside(index);
  }

  void mark_outside(std::uint32_t index) { outside_ |= std::uint64_t{1} << index; }

  const SurveyQuestion& question_;
  Tracees& tracees_;
  HoldReport& holds_;
  StackCopy stack_;
  std::map<pid_t, std::uint32_t> asked_;  // and not yet stopped; the index in the question
  std::uint64_t outside_ = 0;
};

}  // namespace

std::uint64_t survey(const SurveyQuestion& question, Tracees& tracees, HoldReport& holds) {
  return Survey(question, tracees, holds).run();
}

}  // namespace nohalt::target
