// Events are opened for as many threads as there is room for, served as their
// samples come, and passed on to the next threads.
#include "probes/target/sampler.h"

#include <vector>

namespace nohalt::target {

namespace {

using Clock = std::chrono::steady_clock;

// Each has 68 KiB of the kernel's memory and a descriptor; where either runs out there
// are fewer. Among a thousand threads a turn takes seconds to come round, and all of
// them are to be seen in the same round.
constexpr std::size_t kMostEvents = 1024;
// An event that waited so long for its thread to run goes to another one, if
// others are waiting for an event.
constexpr std::chrono::milliseconds kLongestTurn{300};
// A thread that ran so long and was never in user mode when the timer came.
constexpr std::uint64_t kInTheKernel = 100'000'000;  // ns

}  // namespace

void Sampler::look(std::set<pid_t>& inside) {
  collect(inside);
  watch_more(inside);
}

void Sampler::collect(std::set<pid_t>& inside) {
  const bool others_wait = inside.size() > watched_.size();
  const Clock::time_point now = Clock::now();
  std::erase_if(watched_, [&](const auto& watched) {
    const auto& [tid, watch] = watched;
    if (!inside.contains(tid)) return true;
    if (watch.event.ready()) {
      if (judge(tid, watch.event)) inside.erase(tid);
      return true;
    }
    if (watch.event.ran_ns() > kInTheKernel) unclear_.insert(tid);
    return others_wait && now - watch.since > kLongestTurn;
  });
}

// From the thread after the last one on, once round.
void Sampler::watch_more(std::set<pid_t>& inside) {
  std::vector<pid_t> order(inside.upper_bound(last_), inside.end());
  order.insert(order.end(), inside.begin(), inside.upper_bound(last_));
  for (const pid_t tid : order) {
    if (watched_.size() >= kMostEvents) return;
    if (watched_.contains(tid)) continue;
    auto event = SampleEvent::open(tid);
    if (!event && event.error().code == ErrorCode::kTargetGone) {
      inside.erase(tid);
    } else if (!event) {
      works_ = !watched_.empty();
      return;
    } else {
      watched_.emplace(tid, Watched{std::move(*event), Clock::now()});
      last_ = tid;
    }
  }
}

bool Sampler::judge(pid_t tid, const SampleEvent& event) {
  const auto sample = event.sample();
  // The number went to a thread of another process.
  if (sample && sample->pid != pid_) return true;
  const Whereabouts seen = sample ? where(tid, *sample) : Whereabouts::kUnknown;
  if (seen == Whereabouts::kUnknown) {
    unclear_.insert(tid);
  } else {
    unclear_.erase(tid);
  }
  return seen == Whereabouts::kOutside;
}

Whereabouts Sampler::where(pid_t tid, const UserSample& sample) {
  constexpr std::uint64_t kWord = sizeof(std::uint64_t);
  if (sample.stack_pointer.value % kWord != 0) return Whereabouts::kUnknown;
  StackPart stack{sample.stack_pointer, sample.stack, false};
  const RuntimeAddress block = control_block(tid);
  if (block > stack.begin && block - stack.begin <= stack.words.size_bytes()) {
    stack.words = stack.words.first((block - stack.begin) / kWord);
    stack.whole = true;
  } else if (!sample.cut) {
    // The sample ended at the stack's end, or at a page that was not in memory.
    // Then this reading brings it in, for the next sample.
    touch_.take(tid, sample.pc, sample.stack_pointer);
    stack.whole = touch_.ends_at(stack.begin + stack.words.size_bytes());
  }
  return whereabouts(sample.pc, std::span(&stack, 1), code_);
}

}  // namespace nohalt::target
