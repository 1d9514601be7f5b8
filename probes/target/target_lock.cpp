// flock(2) with a bounded wait.
#include "probes/target/target_lock.h"

#include <sys/file.h>

#include <cerrno>
#include <thread>

namespace nohalt::target {

Result<TargetLock> TargetLock::acquire(const Process& process, std::chrono::milliseconds patience) {
  NOHALT_TRY(Memory memory, Memory::open(process.pid()));
  NOHALT_CHECK(process.check_alive());
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (::flock(memory.descriptor(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR)
      return fail_errno("flock", "the target's memory", errno);
    if (std::chrono::steady_clock::now() >= deadline)
      return fail(ErrorCode::kAlreadyProbed, "target-locked",
                  "Another run is placing or removing probes in this process.",
                  "Try again when it is done.");
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return TargetLock(std::move(memory));
}

}  // namespace nohalt::target
