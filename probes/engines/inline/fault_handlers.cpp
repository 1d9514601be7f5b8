// rt_sigaction with no new action only reads; its answer goes to scratch words.
#include "probes/engines/inline/fault_handlers.h"

#include <sys/syscall.h>

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

Status check_fault_handlers(target::RemoteThread& thread) {
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE}) {
    NOHALT_TRY(const RuntimeAddress answer, thread.put_text(""));
    NOHALT_TRY([[maybe_unused]] const std::uint64_t done,
               thread.call("rt_sigaction", SYS_rt_sigaction,
                           {static_cast<std::uint64_t>(signal), 0, answer.value, 8, 0, 0}));
    NOHALT_TRY(const auto action, thread.memory().read_value<KernelAction>(answer));
    const bool handled = action.handler != kDefault && action.handler != kIgnore;
    if (handled && (action.flags & kResetHandler) == 0) {
      return fail(
          ErrorCode::kRefused, "fault-handler",
          "The target handles memory or arithmetic faults itself and goes on after them, so "
          "an instruction that may fault cannot be moved.",
          "Choose a line whose first instruction touches no memory, or use --engine kernel.");
    }
  }
  return {};
}

}  // namespace nohalt::engines
