// The rules that a capture program is held to, by name. The verifier reports
// the first that a program breaks; the interpreter reports the first that an
// execution breaks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "src/base/result.h"

namespace nohalt::program {

enum class Rule : std::uint8_t {
  kProgramEmpty,
  kProgramTooLong,
  kRecordTooLarge,
  kUnknownInstruction,  // opcode outside the profile
  kUnusedFieldSet,      // a field the instruction does not use is not zero
  kNoSuchRegister,      // above r10
  kFramePointerWritten,
  kShiftTooFar,  // immediate count beyond the width
  kJumpBackward,
  kJumpOutside,  // past the end, or into a wide immediate's second slot
  kUnreachable,
  kFallsOffTheEnd,
  kUnknownHelper,
  kRegisterUninitialised,  // never written, clobbered by a call, or differing where paths join
  kPointerArithmetic,      // anything but adding or subtracting a known constant
  kPointerCompared,        // anything but the record against zero
  kPointerStored,
  kPointerAsNumber,   // where a number is needed: helper argument, result
  kNotAPointer,       // memory access through a number
  kRecordNotChecked,  // used before it was compared with zero
  kContextWritten,
  kContextOutOfBounds,  // not an admitted, aligned 8-byte load
  kStackOutOfBounds,
  kStackUninitialised,
  kRecordOutOfBounds,
  kRecordRead,
  kHelperDestination,  // `to` is not the stack or the record
  kHelperSize,         // not a known, positive constant
  kTokenTwice,
  kReserveWithoutToken,  // on some path the token was not taken or not granted
  kReserveTwice,
  kRecordNotOwned,  // commit or abandon of anything but the record's start
  kRecordLeft,      // exit while the record is neither committed nor abandoned
  kNotAnOutcome,    // r0 at exit
};

// Stable kebab-case token.
[[nodiscard]] std::string_view name(Rule rule);

struct Violation {
  Rule rule = Rule::kProgramEmpty;
  std::size_t instruction = 0;  // slot index

  friend bool operator==(const Violation&, const Violation&) = default;
};

// A program that breaks a rule is a defect of the compiler that wrote it, or
// was tampered with: an internal error, named by the rule.
[[nodiscard]] Error to_error(const Violation& violation);

}  // namespace nohalt::program
