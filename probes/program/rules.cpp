// Names of the rules.
#include "probes/program/rules.h"

#include <string>

namespace nohalt::program {

std::string_view name(Rule rule) {
  switch (rule) {
    case Rule::kProgramEmpty:
      return "program-empty";
    case Rule::kProgramTooLong:
      return "program-too-long";
    case Rule::kRecordTooLarge:
      return "record-too-large";
    case Rule::kUnknownInstruction:
      return "unknown-instruction";
    case Rule::kUnusedFieldSet:
      return "unused-field-set";
    case Rule::kNoSuchRegister:
      return "no-such-register";
    case Rule::kFramePointerWritten:
      return "frame-pointer-written";
    case Rule::kShiftTooFar:
      return "shift-too-far";
    case Rule::kJumpBackward:
      return "jump-backward";
    case Rule::kJumpOutside:
      return "jump-outside";
    case Rule::kUnreachable:
      return "unreachable";
    case Rule::kFallsOffTheEnd:
      return "falls-off-the-end";
    case Rule::kUnknownHelper:
      return "unknown-helper";
    case Rule::kRegisterUninitialised:
      return "register-uninitialised";
    case Rule::kPointerArithmetic:
      return "pointer-arithmetic";
    case Rule::kPointerCompared:
      return "pointer-compared";
    case Rule::kPointerStored:
      return "pointer-stored";
    case Rule::kPointerAsNumber:
      return "pointer-as-number";
    case Rule::kNotAPointer:
      return "not-a-pointer";
    case Rule::kRecordNotChecked:
      return "record-not-checked";
    case Rule::kContextWritten:
      return "context-written";
    case Rule::kContextOutOfBounds:
      return "context-out-of-bounds";
    case Rule::kStackOutOfBounds:
      return "stack-out-of-bounds";
    case Rule::kStackUninitialised:
      return "stack-uninitialised";
    case Rule::kRecordOutOfBounds:
      return "record-out-of-bounds";
    case Rule::kRecordRead:
      return "record-read";
    case Rule::kHelperDestination:
      return "helper-destination";
    case Rule::kHelperSize:
      return "helper-size";
    case Rule::kTokenTwice:
      return "token-twice";
    case Rule::kReserveWithoutToken:
      return "reserve-without-token";
    case Rule::kReserveTwice:
      return "reserve-twice";
    case Rule::kRecordNotOwned:
      return "record-not-owned";
    case Rule::kRecordLeft:
      return "record-left";
    case Rule::kNotAnOutcome:
      return "not-an-outcome";
  }
  return "unknown-rule";
}

Error to_error(const Violation& violation) {
  return {ErrorCode::kInternal, std::string(name(violation.rule)),
          "The capture program breaks the rule '" + std::string(name(violation.rule)) +
              "' at instruction " + std::to_string(violation.instruction) + ".",
          "This is a defect in nohalt; please report it with the output of 'nohalt plan'."};
}

}  // namespace nohalt::program
