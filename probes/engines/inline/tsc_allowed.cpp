// prctl(2), PR_GET_TSC: the answer is an int at the address given.
#include "probes/engines/inline/tsc_allowed.h"

#include <sys/prctl.h>
#include <sys/syscall.h>

#include <cstdint>

namespace nohalt::engines {

Status check_tsc_allowed(target::RemoteThread& thread) {
  NOHALT_TRY(const RuntimeAddress answer, thread.put_text(""));
  NOHALT_TRY([[maybe_unused]] const std::uint64_t done,
             thread.call("prctl", SYS_prctl, {PR_GET_TSC, answer.value, 0, 0, 0, 0}));
  NOHALT_TRY(const auto setting, thread.memory().read_value<std::int32_t>(answer));
  if (setting == PR_TSC_ENABLE) return {};
  return fail(ErrorCode::kRefused, "tsc-disabled",
              "The target has forbidden itself to read the time stamp counter (PR_SET_TSC), so "
              "that a probe's clock would end it.",
              "A kernel uprobe (bpftrace, perf probe) can still watch this program.");
}

}  // namespace nohalt::engines
