// Seeing awake threads outside certain code without stopping them: each is
// sampled in the middle of its run (user_sample.h) until a sample shows pc and
// whole stack free of the code (stack_copy.h).
//
// Sound because nothing leads into the code any more: who was outside at one
// instant stays outside. For the same reason one sample has to show all of the
// stack. What is read of a running thread's stack later says nothing of the
// instant of the sample: a handler may have returned into the code in between.
// So of a stack deeper than a sample (just under 64 KiB), or one whose signal
// frames lead to another stack, a sample says nothing.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <map>
#include <set>
#include <span>

#include "probes/target/stack_copy.h"
#include "probes/target/user_sample.h"
#include "src/base/address.h"

namespace nohalt::target {

class Sampler {
 public:
  Sampler(pid_t pid, std::span<const RuntimeRange> code) : pid_(pid), code_(code) {}

  // Takes those out of `inside` that were seen outside, and has the others sampled,
  // some of them at a time. Never waits. Who sleeps or has ended while waiting for
  // a sample is the caller's to find out.
  void look(std::set<pid_t>& inside);

  // False: threads cannot be sampled here.
  [[nodiscard]] bool works() const { return works_; }
  // Those whose samples say nothing, or that compute in the kernel all the time.
  [[nodiscard]] const std::set<pid_t>& unclear() const { return unclear_; }

 private:
  struct Watched {
    SampleEvent event;
    std::chrono::steady_clock::time_point since;
  };

  // True: the thread is outside, or is none of the process's.
  bool judge(pid_t tid, const SampleEvent& event);
  Whereabouts where(pid_t tid, const UserSample& sample);
  void collect(std::set<pid_t>& inside);
  void watch_more(std::set<pid_t>& inside);

  pid_t pid_;
  std::span<const RuntimeRange> code_;
  std::map<pid_t, Watched> watched_;
  std::set<pid_t> unclear_;
  pid_t last_ = 0;  // the last thread that an event was opened for
  bool works_ = true;
  StackCopy touch_;
};

}  // namespace nohalt::target
