// What an expression computes with is in the record, each operand by itself. Of what leads to
// a place, slices.h tells.
#include "src/session/hide_computed.h"

#include <algorithm>

#include "probes/records/values/decode.h"
#include "src/output/redact.h"
#include "src/session/shown_value.h"
#include "src/session/slices.h"

namespace nohalt::session {

namespace {

using language::Expr;
using language::ExprKind;

class Operands {
 public:
  Operands(const capture::CaptureLayout& layout, std::span<const std::byte> body,
           const policy::ValueRules& rules)
      : layout_(layout), body_(body), rules_(rules) {}

  [[nodiscard]] bool has_hidden(const Expr& expr) const {
    if (expr.kind == ExprKind::kLoad) return is_hidden(expr);
    return std::ranges::any_of(expr.operands,
                               [this](const auto& operand) { return has_hidden(*operand); });
  }

 private:
  [[nodiscard]] bool is_hidden(const Expr& load) const {
    if (!language::is_arithmetic(load.type)) return false;
    const values::Value value = values::value_of(layout_, body_, load);
    return value.is_there() && output::is_hidden(shown_value({"", value}, false), rules_);
  }

  const capture::CaptureLayout& layout_;
  std::span<const std::byte> body_;
  const policy::ValueRules& rules_;
};

}  // namespace

void hide_computed(const capture::CaptureLayout& layout, std::span<const std::byte> body,
                   std::span<values::NamedValue> values, const policy::ValueRules& rules) {
  const Operands operands(layout, body, rules);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const Expr& root = *layout.values[i]->root;
    const bool is_computed = root.kind != ExprKind::kLoad && values[i].value.is_there();
    if (is_computed && operands.has_hidden(root))
      hide_part(values[i].value, "it is computed from a number that a rule hides");
  }
}

}  // namespace nohalt::session
