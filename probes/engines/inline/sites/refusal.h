// Why a place in the text cannot be patched: one value per rule, each with a
// stable token, a sentence and a hint. These are what `plan` shows and what the
// censuses count.
#pragma once

#include <span>
#include <string_view>

#include "src/base/result.h"

namespace nohalt::inline_sites {

enum class SiteRefusal {
  kMisaligned,
  kUnknownOpcode,
  kSystemCall,
  kTrap,
  kPrivileged,
  kEvex,
  kLock,
  kTransaction,
  kExceptionMasking,
  kFarTransfer,
  kOddBranch,
  kStackOperand,
  kShadowStackPointer,
  kMemoryFaultHandler,
  kArithmeticFaultHandler,
  kRestartableSequence,
  kManagedStack,
  kCrossesPage,
  kOtherProbe,
  kOverlappingCode,
  kCallNotLast,
  kNoTrampolineRoom,
  kRelocationOutOfReach,
  kNeedsStop,
  kUnknownBranches,
  kBranchIntoWindow,
  kWindowTooShort,
  kMayBeUnloaded,
  kNotMappedOnce,
  kRunsAgain,
  kTooManySites,
};

struct RefusalText {
  SiteRefusal refusal;
  std::string_view token;     // stable kebab-case
  std::string_view sentence;  // what is wrong
  std::string_view hint;      // what to do
};

[[nodiscard]] const RefusalText& describe(SiteRefusal refusal);
[[nodiscard]] std::span<const RefusalText> all_refusals();

// As the project's one error: ErrorCode::kRefused with the token as its reason.
[[nodiscard]] Error to_error(SiteRefusal refusal);

}  // namespace nohalt::inline_sites
