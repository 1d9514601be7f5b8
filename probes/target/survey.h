// Asking running threads whether they are inside certain code, by one short stop
// of each, where they cannot be sampled (sampler.h): each stop is a hold, and may
// cut a call short that was just entered. Runs in the tracer process (tracer.h);
// others use RemoteThread::survey.
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

#include "probes/target/heartbeat.h"
#include "probes/target/tracees.h"
#include "src/base/address.h"

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

}  // namespace nohalt::target
