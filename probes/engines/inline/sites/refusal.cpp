// The words for each refusal. The order is the enum's.

#include "probes/engines/inline/sites/refusal.h"

#include <array>
#include <string>

namespace nohalt::inline_sites {
namespace {

using enum SiteRefusal;

constexpr std::string_view kElsewhere =
    "Choose another line: `nohalt plan` names the nearest that works.";

constexpr std::array kTexts = {
    RefusalText{kMisaligned, "misaligned", "The address is not known to begin an instruction.",
                "Choose a line of the function whose address its line table gives."},
    RefusalText{kUnknownOpcode, "unknown-opcode", "The instruction here cannot be decoded.",
                kElsewhere},
    RefusalText{kSystemCall, "system-call",
                "A system call instruction is never moved: the kernel restarts it by its address.",
                "Choose the line before or after the system call."},
    RefusalText{kTrap, "trap-instruction",
                "The instruction raises a trap whose handler may know its address.", kElsewhere},
    RefusalText{kPrivileged, "privileged-instruction",
                "The instruction is privileged and faults in a user program.", kElsewhere},
    RefusalText{kEvex, "evex-instruction",
                "The instruction is EVEX encoded (AVX-512), which is not moved.", kElsewhere},
    RefusalText{kLock, "lock-prefix",
                "The instruction carries a LOCK prefix, which code may jump over.", kElsewhere},
    RefusalText{kTransaction, "transaction",
                "The instruction begins or ends a hardware transaction.", kElsewhere},
    RefusalText{kExceptionMasking, "exception-masking",
                "The instruction changes how the next one is interrupted.", kElsewhere},
    RefusalText{kFarTransfer, "far-transfer",
                "The instruction transfers control to another code segment.", kElsewhere},
    RefusalText{kOddBranch, "operand-size-branch",
                "The branch has an operand-size prefix, which processors read differently.",
                kElsewhere},
    RefusalText{kStackOperand, "stack-operand",
                "The call takes its target from a place that pushing its return address moves.",
                kElsewhere},
    RefusalText{kShadowStackPointer, "shadow-stack-pointer",
                "The instruction reads or moves the shadow stack pointer.", kElsewhere},
    RefusalText{kMemoryFaultHandler, "fault-handler",
                "The instruction uses memory and the program handles SIGSEGV or SIGBUS itself, so "
                "its handler may look for this address.",
                kElsewhere},
    RefusalText{kArithmeticFaultHandler, "arithmetic-fault-handler",
                "The instruction can raise SIGFPE and the program handles that signal itself, so "
                "its handler may look for this address.",
                kElsewhere},
    RefusalText{kRestartableSequence, "restartable-sequence",
                "The address is in a restartable sequence, which the kernel tells by its address.",
                "Choose a line outside the restartable sequence."},
    RefusalText{kManagedStack, "managed-stack",
                "The code manages its stack by itself (Go, split stacks).",
                "Choose a function of the program that is written in C, C++ or Rust."},
    RefusalText{kCrossesPage, "crosses-page",
                "The bytes to change, or those that must stay, lie on two pages.", kElsewhere},
    RefusalText{kOtherProbe, "other-probe", "Another probe's bytes are too close to this place.",
                "Remove the other probe first, or choose a line further away."},
    RefusalText{kOverlappingCode, "overlapping-code",
                "A branch leads into the middle of the instruction.", kElsewhere},
    RefusalText{kCallNotLast, "call-not-last",
                "A call would return into the bytes that are to change.", kElsewhere},
    RefusalText{kNoTrampolineRoom, "no-trampoline-room",
                "No free address can be reached by the jumps that fit here.", kElsewhere},
    RefusalText{kRelocationOutOfReach, "relocation-out-of-reach",
                "What the instruction refers to is more than 2 GiB away from its new place.",
                kElsewhere},
    RefusalText{kNeedsStop, "needs-stop",
                "Only a jump over several instructions fits here, for which all threads of the "
                "process are stopped for a moment while arming.",
                "--allow-stop places it."},
    RefusalText{kUnknownBranches, "unknown-branches",
                "Only a jump over several instructions fits here, and where all branches of the "
                "function lead cannot be told.",
                kElsewhere},
    RefusalText{kBranchIntoWindow, "branch-into-window",
                "Only a jump over several instructions fits here, and a branch leads between them.",
                kElsewhere},
    RefusalText{kWindowTooShort, "window-too-short",
                "Control leaves or the function ends before there is room for a jump.", kElsewhere},
    RefusalText{
        kMayBeUnloaded, "may-be-unloaded",
        "The place is in a library that is not shown to be linked with the program and may be "
        "unloaded: all threads of the process are stopped for a moment to place a probe there, "
        "and to take it off.",
        "--allow-stop places it."},
    RefusalText{kNotMappedOnce, "library-not-mapped-once",
                "The library with the place is loaded more than once (dlmopen), or not any more.",
                "Choose a place in the program, or in a library that is loaded once."},
    RefusalText{kRunsAgain, "entry-runs-again",
                "What is called cannot be told: the function's beginning is not one straight way "
                "that each call takes once, as where a loop leads back to it.",
                "Log one of its lines instead."},
    RefusalText{kTooManySites, "too-many-sites",
                "The run has as many places in the process as it may have.",
                "Trace fewer functions at once."},
};

constexpr bool in_enum_order() {
  for (std::size_t i = 0; i < kTexts.size(); ++i) {
    if (static_cast<std::size_t>(kTexts[i].refusal) != i) return false;
  }
  return kTexts.size() == static_cast<std::size_t>(kTooManySites) + 1;
}
static_assert(in_enum_order());

}  // namespace

const RefusalText& describe(SiteRefusal refusal) {
  return kTexts[static_cast<std::size_t>(refusal)];
}

std::span<const RefusalText> all_refusals() { return kTexts; }

Error to_error(SiteRefusal refusal) {
  const RefusalText& text = describe(refusal);
  return Error{ErrorCode::kRefused, std::string(text.token), std::string(text.sentence),
               std::string(text.hint)};
}

}  // namespace nohalt::inline_sites
