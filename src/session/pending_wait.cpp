#include "src/session/pending_wait.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <iterator>
#include <string_view>

namespace nohalt::session {

namespace {

constexpr std::chrono::milliseconds kTick{200};
// A process may open and close libraries all the time.
constexpr int kMostUnsteady = 5;

bool has_ended(const target::Process& process) {
  pollfd watched{process.pidfd(), POLLIN, 0};
  return ::poll(&watched, 1, 0) > 0;
}

std::unexpected<Error> gone() {
  return fail(ErrorCode::kTargetGone, "target-gone",
              "The process ended while a place in it was waited for.");
}

std::vector<target::Mapping> code_of(const target::Maps& maps) {
  std::vector<target::Mapping> code;
  std::ranges::copy_if(maps.all(), std::back_inserter(code), [](const target::Mapping& mapping) {
    return mapping.executable && !mapping.anonymous();
  });
  return code;
}

}  // namespace

bool is_no_such_place(const Error& error) {
  constexpr std::string_view kReasons[] = {"no-such-library", "no-such-file", "no-such-function"};
  return std::ranges::find(kReasons, error.reason) != std::end(kReasons);
}

Status check_worth_waiting(const std::vector<spec::ProbeSpec>& probes) {
  if (std::ranges::any_of(probes, &spec::ProbeSpec::allow_stop)) return {};
  return fail(ErrorCode::kRefused, "may-be-unloaded",
              "The place is not there yet. A library that has it may be unloaded again, so that "
              "all threads of the process have to be stopped for a moment to place a probe in it.",
              "Add --allow-stop.");
}

std::chrono::milliseconds longest_wait(const std::vector<spec::ProbeSpec>& probes) {
  std::chrono::milliseconds longest{0};
  for (const spec::ProbeSpec& probe : probes)
    longest = std::max(longest, probe.limits.lease.value_or(std::chrono::minutes{10}));
  return longest;
}

Result<PendingWait> PendingWait::begin(pid_t pid, std::chrono::milliseconds longest) {
  NOHALT_TRY(target::Process process, target::Process::open(pid));
  return PendingWait(std::move(process), longest);
}

bool PendingWait::is_time() {
  const auto maps = target::read_maps(process_.pid());
  if (!maps) return false;
  std::vector<target::Mapping> now = code_of(*maps);
  const bool is_steady = now == seen_;
  seen_ = std::move(now);
  if (tried_ == seen_) return false;
  unsteady_ = is_steady ? 0 : unsteady_ + 1;
  if (!is_steady && unsteady_ < kMostUnsteady) return false;
  unsteady_ = 0;
  tried_ = seen_;
  return true;
}

Result<bool> PendingWait::wait(StopRequest& stop, const Attempt& attempt,
                               const std::function<void()>& every_time) {
  while (!stop.wait(kTick, process_.pidfd())) {
    every_time();
    if (has_ended(process_)) return gone();
    if (std::chrono::steady_clock::now() >= deadline_)
      return fail(ErrorCode::kNoHit, "not-loaded-in-time",
                  fmt::format("No library that has the place was opened within {}.",
                              std::chrono::duration_cast<std::chrono::seconds>(longest_)),
                  "--for says how long to wait.");
    if (!is_time()) continue;
    const Status tried = attempt();
    if (tried) return true;
    if (has_ended(process_)) return gone();
    if (!is_no_such_place(tried.error())) return std::unexpected(tried.error());
  }
  return false;
}

}  // namespace nohalt::session
