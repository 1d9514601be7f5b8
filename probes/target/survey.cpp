// Interrupt all, serve each stop as it comes, abandon those that did not come.
#include "probes/target/survey.h"

#include <sys/ptrace.h>
#include <sys/uio.h>

#include <algorithm>
#include <map>

namespace nohalt::target {

namespace {

constexpr std::uint64_t kStopPatience = 300 * kMillisecond;
constexpr std::uint64_t kLongestScan = 256 * 1024;

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
    if (registers && stack_.is_outside(code)) mark_outside(index);
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

StackCopy::StackCopy() : words_(kLongestScan / sizeof(std::uint64_t)) {}

void StackCopy::take(pid_t tid, RuntimeAddress pc, RuntimeAddress stack_pointer) {
  pc_ = pc;
  const std::uint64_t begin = stack_pointer.value & ~std::uint64_t{7};
  // One range for each page: the kernel copies whole ranges, up to the first that
  // has an unreadable page.
  std::array<iovec, kLongestScan / kPageSize> pages;
  std::uint64_t at = begin;
  for (iovec& page : pages) {
    const std::uint64_t next = page_floor(at) + kPageSize;
    page = {reinterpret_cast<void*>(at), next - at};
    at = next;
  }
  const iovec local{words_.data(), kLongestScan};
  const ssize_t n = ::process_vm_readv(tid, &local, 1, pages.data(), pages.size(), 0);
  count_ = n <= 0 ? 0 : static_cast<std::size_t>(n) / sizeof(std::uint64_t);
}

bool StackCopy::is_outside(std::span<const RuntimeRange> code) const {
  const auto in_code = [&](std::uint64_t address) {
    return std::any_of(code.begin(), code.end(),
                       [&](const RuntimeRange& range) { return range.contains({address}); });
  };
  const auto words = std::span(words_).first(count_);
  return !words.empty() && !in_code(pc_.value) && std::ranges::none_of(words, in_code);
}

std::uint64_t survey(const SurveyQuestion& question, Tracees& tracees, HoldReport& holds) {
  return Survey(question, tracees, holds).run();
}

}  // namespace nohalt::target
