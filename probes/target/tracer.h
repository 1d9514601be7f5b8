// The tracer process: borrows, holds the helper, makes remote calls on request,
// ends the helper. Why it is a process of its own: watchdog.h.
//
// It serves one session over one socket, and ends by itself when the other side
// is gone or silent for kToolSilence; each way it ends the helper first and puts
// the scratch words back to zero.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>

#include "probes/target/borrow.h"
#include "probes/target/heartbeat.h"
#include "probes/target/stand_still.h"
#include "probes/target/survey.h"
#include "src/base/result.h"

namespace nohalt::target {

inline constexpr std::uint64_t kToolSilence = 5'000 * kMillisecond;
inline constexpr std::uint64_t kCallPatience = 5'000 * kMillisecond;

// kSurvey replies with survey()'s bits.
enum class TracerOp : std::uint32_t { kCall = 1, kFinish = 2, kSurvey = 3, kStandStill = 4 };

struct TracerRequest {
  TracerOp op = TracerOp::kCall;
  std::uint32_t padding = 0;
  long number = 0;
  std::array<std::uint64_t, 6> arguments{};
  SurveyQuestion survey;
  StandStillOrder order;
};

// The first reply of a session tells of the borrowing; later ones of requests.
struct TracerReply {
  bool ok = false;
  ErrorCode code = ErrorCode::kInternal;
  std::int64_t value = 0;  // of a call: as the kernel returned it
  pid_t helper = 0;
  HoldReport holds;
  std::array<char, 64> reason{};
  std::array<char, 320> message{};
  std::array<char, 192> hint{};
};

// Runs a session and ends the process. Called in a fresh fork.
[[noreturn]] void run_tracer(const BorrowPlan& plan, int socket, Heartbeat& heartbeat);

// Signals are blocked with this before the fork, so that none meets the tracer
// unprepared.
void block_all_signals();

}  // namespace nohalt::target
