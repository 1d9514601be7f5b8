// Computes on the tool's side what an expression makes of captured operands,
// by C's rules, floating-point included. Three-valued: what needs a value that
// is not there is not there, unless && or || or ?: goes round it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "probes/capture/layout.h"
#include "probes/language/bound.h"
#include "probes/records/values/decode.h"
#include "probes/records/values/node_reader.h"

namespace nohalt::values {

class Evaluator {
 public:
  Evaluator(const capture::CaptureLayout& layout, NodeReader& reader, const HitFacts& facts)
      : layout_(layout), reader_(reader), facts_(facts) {}

  [[nodiscard]] Value value(const language::Expr& expr);

 private:
  // A number of the expression's type: bits extended to 64, or a float.
  struct Number {
    std::uint64_t bits = 0;
    long double floating = 0;
    bool at_least = false;  // from a truncated text's length
  };
  // Nothing: why_ says why.
  [[nodiscard]] std::optional<Number> number(const language::Expr& expr);
  [[nodiscard]] std::optional<Number> captured(const Node& node);
  [[nodiscard]] std::optional<Number> binary(const language::Expr& expr);
  [[nodiscard]] std::optional<Number> logical(const language::Expr& expr);
  [[nodiscard]] std::optional<Number> integer_binary(const language::Expr& expr, Number left,
                                                     Number right);
  [[nodiscard]] std::optional<Number> compare_text(const language::Expr& expr);
  [[nodiscard]] std::optional<Number> text_length(const language::Expr& expr);
  [[nodiscard]] std::optional<Value> text_of(const language::Expr& expr);
  [[nodiscard]] Number convert(Number from, const language::Type* type,
                               const language::Type* to) const;
  [[nodiscard]] std::nullopt_t give_up(ValueState state, std::string why);
  [[nodiscard]] std::nullopt_t give_up(Why why);
  [[nodiscard]] const Node* node_of(const language::Expr& expr) const;

  const capture::CaptureLayout& layout_;
  NodeReader& reader_;
  HitFacts facts_;
  Why why_;
};

}  // namespace nohalt::values
