// Asking running threads whether they are inside certain code, by one short stop
// of each. Runs in the tracer process (tracer.h); others use RemoteThread::survey.
//
// All of them are asked to stop at once and each is looked at and let go the
// moment it does: on a busy machine a thread stops only when its turn comes, and
// waiting for one after another would take as many turns. pc and stack are looked
// at while the thread is held, since what a signal handler interrupted stands in
// its frame only until it returns.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "probes/target/heartbeat.h"
#include "probes/target/tracees.h"
#include "src/base/address.h"
#include "src/base/result.h"

namespace nohalt::target {

inline constexpr std::size_t kMostSurveyed = 64;  // threads, and ranges of code

struct SurveyQuestion {
  std::array<pid_t, kMostSurveyed> threads{};
  std::array<RuntimeRange, kMostSurveyed> code{};
  std::uint32_t thread_count = 0;
  std::uint32_t code_count = 0;
};

// Bit i: threads[i] was seen outside, or has ended. The others were not seen, or
// not outside. All go on as if nothing had been; each hold is added to `holds`.
[[nodiscard]] std::uint64_t survey(const SurveyQuestion& question, Tracees& tracees,
                                   HoldReport& holds);

// A copy of what tells where a thread is. Copied while the thread cannot run,
// searched when it may again: the search is the longer part.
class StackCopy {
 public:
  StackCopy();

  // Of the stack: all words from the stack pointer up to the first page that
  // cannot be read, as the guard before another thread's stack is one.
  void take(pid_t tid, RuntimeAddress pc, RuntimeAddress stack_pointer);

  // Neither the pc nor any word of the stack is an address in the code. A word
  // that only looks like one counts as one.
  [[nodiscard]] bool is_outside(std::span<const RuntimeRange> code) const;

 private:
  RuntimeAddress pc_;
  std::vector<std::uint64_t> words_;
  std::size_t count_ = 0;  // of the words that could be read
};

}  // namespace nohalt::target
