// The syntax tree of an expression: what was written, before names and types
// are known. Every node knows where in the source it stands.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "probes/language/source_text.h"

namespace nohalt::language {

enum class SyntaxKind {
  kInteger,
  kFloating,
  kCharacter,
  kString,
  kTrue,
  kFalse,
  kNull,
  kName,     // text; may be qualified: ns::name
  kBuiltin,  // text, without '$'
  kMember,   // operand . text
  kArrow,    // operand -> text
  kIndex,    // operand [ index ]
  kSlice,    // operand [ operand 1 .. operand 2 ]
  kDereference,
  kAddressOf,
  kNegate,
  kPlus,
  kNot,
  kComplement,
  kBinary,       // op
  kConditional,  // operand ? operand : operand
  kCast,         // text: the type as written, blanks squeezed
  kLength,       // len(operand)
  kTextTest,     // op: starts_with(operand, operand 1) or contains(...)
};

enum class BinaryOp {
  kMultiply,
  kDivide,
  kModulo,
  kAdd,
  kSubtract,
  kShiftLeft,
  kShiftRight,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kEqual,
  kNotEqual,
  kBitAnd,
  kBitXor,
  kBitOr,
  kAnd,
  kOr,
  // Of texts only, and no operators.
  kStartsWith,
  kContains,
};

struct Syntax {
  SyntaxKind kind{};
  Span span;  // all of it
  Span mark;  // the place a message points at: the operator, or the name
  std::string text;
  std::uint64_t integer = 0;
  long double floating = 0;
  bool is_decimal = true;
  bool is_unsigned = false;
  std::uint8_t minimum_size = 4;
  BinaryOp op{};
  std::vector<std::unique_ptr<Syntax>> operands;
};
using SyntaxPtr = std::unique_ptr<Syntax>;

}  // namespace nohalt::language
