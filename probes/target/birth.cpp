// The event of the stop tells of the helper; /proc only whether to go on waiting.
#include "probes/target/birth.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <string>

#include "probes/target/borrow.h"
#include "probes/target/target_gone.h"
#include "probes/target/threads.h"
#include "src/base/file.h"

namespace nohalt::target {

namespace {

constexpr std::uint64_t kBirthPatience = 2'000 * kMillisecond;
constexpr std::uint64_t kLookForBirthEvery = 10 * kMillisecond;

std::uint64_t blocked_signals(pid_t pid, pid_t tid) {
  const auto status =
      read_file("/proc/" + std::to_string(pid) + "/task/" + std::to_string(tid) + "/status");
  std::uint64_t mask = 0;
  if (!status) return mask;
  const auto text = status_field(*status, "SigBlk");
  (void)std::from_chars(text.data(), text.data() + text.size(), mask, 16);
  return mask;
}

// A thread that was not among `before` and that this process traces; or 0.
pid_t find_helper(pid_t pid, const std::vector<pid_t>& before) {
  const auto tids = list_threads(pid);
  if (!tids) return 0;
  const auto found = std::ranges::find_if(*tids, [&](pid_t tid) {
    if (std::ranges::find(before, tid) != before.end()) return false;
    const auto status =
        read_file("/proc/" + std::to_string(pid) + "/task/" + std::to_string(tid) + "/status");
    return status && status_field(*status, "TracerPid") == std::to_string(::getpid());
  });
  return found == tids->end() ? 0 : *found;
}

}  // namespace

// Where allowed the helper, being the tool's own, goes before the target's threads: on a
// busy machine it would wait long for each of its few instructions.
Result<pid_t> wait_for_birth(const Birth& birth, bool clone_is_known_done, Tracees& tracees) {
  const std::uint64_t deadline = monotonic_ns() + kBirthPatience;
  while (monotonic_ns() < deadline) {
    const bool returned = blocked_signals(birth.pid, birth.borrowed) != kFullSignalMask;
    const pid_t helper = find_helper(birth.pid, birth.before);
    if (helper != 0) (void)::setpriority(PRIO_PROCESS, static_cast<id_t>(helper), -20);
    const auto event = tracees.next(0, monotonic_ns() + kLookForBirthEvery);
    if (event && event->event_stop()) return event->tid;
    if (event && event->ended())
      return target_gone();
    if (!event && returned && helper == 0 && !clone_is_known_done)
      return fail(ErrorCode::kRefused, "pid-limit", "The target may not make one more thread.",
                  "Raise its limit on processes (pids.max, RLIMIT_NPROC), or use the kernel "
                  "engine.");
  }
  return fail(ErrorCode::kRefused, "helper-did-not-start",
              "The helper thread got no processor time.", "Try again when the machine is calmer.");
}

}  // namespace nohalt::target
