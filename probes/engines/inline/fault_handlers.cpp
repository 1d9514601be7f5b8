// rt_sigaction with no new action only reads; its answer goes to scratch words.
#include "probes/engines/inline/fault_handlers.h"

#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdint>

namespace nohalt::engines {

namespace {

// struct sigaction as the kernel has it (arch/x86/include/uapi/asm/signal.h).
struct KernelAction {
  std::uint64_t handler = 0;
  std::uint64_t flags = 0;
  std::uint64_t restorer = 0;
  std::uint64_t mask = 0;
};
static_assert(sizeof(KernelAction) < target::kScratchTextSize);

constexpr std::uint64_t kResetHandler = 0x80000000;  // SA_RESETHAND
constexpr std::uint64_t kDefault = 0;                // SIG_DFL
constexpr std::uint64_t kIgnore = 1;                 // SIG_IGN

}  // namespace

FaultReporters known_fault_reporters(const symbols::DebugInfo& info, LoadBias bias) {
  FaultReporters found;
  const auto place = info.resolve("stack_overflow::imp::signal_handler");
  if (!place) return found;
  for (const symbols::LineSite& site : place->sites) {
    const bool is_own = site.inlined_into.empty() && site.function.starts_with("std::sys::");
    if (is_own) found.push_back(bias.to_runtime(site.function_range.begin));
  }
  return found;
}

Status check_fault_handlers(target::RemoteThread& thread, const FaultReporters& reporters) {
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE}) {
    NOHALT_TRY(const RuntimeAddress answer, thread.put_text(""));
    NOHALT_TRY([[maybe_unused]] const std::uint64_t done,
               thread.call("rt_sigaction", SYS_rt_sigaction,
                           {static_cast<std::uint64_t>(signal), 0, answer.value, 8, 0, 0}));
    NOHALT_TRY(const auto action, thread.memory().read_value<KernelAction>(answer));
    const bool handled = action.handler != kDefault && action.handler != kIgnore;
    const bool is_known =
        std::ranges::find(reporters, RuntimeAddress{action.handler}) != reporters.end();
    if (handled && !is_known && (action.flags & kResetHandler) == 0) {
      return fail(
          ErrorCode::kRefused, "fault-handler",
          "The target handles memory or arithmetic faults itself and goes on after them, so "
          "an instruction that may fault cannot be moved.",
          "Choose a line whose first instruction touches no memory: `nohalt plan` tells of each "
          "line.");
    }
  }
  return {};
}

}  // namespace nohalt::engines
