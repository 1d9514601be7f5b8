// An expression whose names and types are known: what the capture builder turns
// into reads, and the renderer computes from what was read.
//
// A node is a place (something with a spot in the target: a variable, a member,
// what a pointer points to) or a value. kLoad makes a value of a place; it is
// the only node that reads, and kAddress the only other one that needs the
// target.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "probes/language/syntax.h"
#include "probes/language/type_rules.h"
#include "probes/symbols/debug_info.h"

namespace nohalt::language {

enum class ExprKind {
  // Places.
  kVariable,     // variable
  kMember,       // operand (a place of record type) . member
  kDereference,  // * operand (a pointer's value)
  kElement,      // operand (a place of array type) [ operand 1 ]
  // Values from the target.
  kLoad,     // the value at operand (a place)
  kAddress,  // where operand (a place) is
  // Values.
  kInteger,  // integer, of an integral or pointer type
  kFloating,
  kText,  // text: a literal, or $func
  kHitPid,
  kHitTid,
  kConvert,  // operand as type; both scalar
  kOffset,   // operand (pointer) + integer bytes: along inheritance
  kAdvance,  // operand (pointer) + operand 1 (integer) * pointee size
  kNegate,
  kNot,
  kComplement,
  kBinary,       // op, operands already of one type (shifts: each promoted)
  kTextCompare,  // op kEqual, kNotEqual, kStartsWith or kContains: operand (textual) with text
  kLength,       // characters of operand (a textual value), or its items (a kLoad of a record)
  kConditional,
};

struct Expr;
using ExprPtr = std::unique_ptr<Expr>;

struct Expr {
  ExprKind kind{};
  Span span;
  const Type* type = nullptr;
  std::shared_ptr<const symbols::Variable> variable;
  const symbols::Member* member = nullptr;
  std::uint64_t integer = 0;
  long double floating = 0;
  std::string text;
  BinaryOp op{};
  std::vector<ExprPtr> operands;

  [[nodiscard]] const Expr& operand(std::size_t i = 0) const { return *operands[i]; }
  [[nodiscard]] bool is_place() const { return kind <= ExprKind::kElement; }
};

// It looks at a part of a text.
[[nodiscard]] inline bool is_text_test(const Expr& expr) {
  return expr.kind == ExprKind::kTextCompare &&
         (expr.op == BinaryOp::kStartsWith || expr.op == BinaryOp::kContains);
}

// Of a record: what kind of container it is, and whether it is one, is found out where it
// is captured.
[[nodiscard]] inline bool is_container_length(const Expr& expr) {
  return expr.kind == ExprKind::kLength && expr.operand().kind == ExprKind::kLoad &&
         is_record(expr.operand().type);
}

// Shared by what is built from it; never changes. Types of the target must
// outlive it (their DebugInfo owns them).
struct BoundExpression {
  std::string name;  // what the value is called
  Source source;
  ExprPtr root;  // a value, not a place
  std::shared_ptr<TypeStore> types;
};
using BoundPtr = std::shared_ptr<const BoundExpression>;

}  // namespace nohalt::language
