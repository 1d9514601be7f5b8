// One look at a thread in the middle of its run, without stopping it: its pc and
// its stack at one instant, taken by the kernel on the thread's own processor.
//
// It is a perf event on the thread's processor time. When a millisecond of that
// is over and the timer interrupts the thread in user mode, the kernel copies pc,
// stack pointer and stack into a ring that the tool has mapped. The thread is not
// stopped and no call of its is cut short; it pays one interrupt of some
// microseconds, as it does for every tick. The event ends with its descriptor.
//
// User mode only: amid a system call the registers shown may be those of a signal
// delivery or a return from one half done. And no PERF_EVENT_IOC_REFRESH to have
// the event end after one sample: on Linux 6.16 and 6.17 that hangs the machine
// (fixed by "perf/core: Fix system hang caused by cpu-clock usage"). The ring has
// room for one sample; those that follow until the event is closed are dropped.
//
// Source: perf_event_open(2).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <span>

#include "src/base/address.h"
#include "src/base/result.h"
#include "src/base/unique_fd.h"

namespace nohalt::target {

struct UserSample {
  pid_t pid = 0;
  RuntimeAddress pc;
  RuntimeAddress stack_pointer;
  std::span<const std::uint64_t> stack;  // as far as it went, in the event's ring
  bool cut = false;                      // there was no room for more of the stack
};

class SampleEvent {
 public:
  // "no-such-thread" (kTargetGone); "no-sampling" where the kernel does not allow
  // it; else what the system is short of.
  [[nodiscard]] static Result<SampleEvent> open(pid_t tid);

  SampleEvent(SampleEvent&& other) noexcept;
  SampleEvent& operator=(SampleEvent&&) = delete;
  ~SampleEvent();

  // Whether there is something in the ring.
  [[nodiscard]] bool ready() const;
  // The first sample in it; none where it is of no use (32-bit code, lost).
  [[nodiscard]] std::optional<UserSample> sample() const;
  // Processor time of the thread since open().
  [[nodiscard]] std::uint64_t ran_ns() const;

 private:
  SampleEvent(UniqueFd fd, void* ring) : fd_(std::move(fd)), ring_(ring) {}
  UniqueFd fd_;
  void* ring_;
};

}  // namespace nohalt::target
