#include "src/session/shown_value.h"

namespace nohalt::session {

output::Value shown_value(const values::NamedValue& named, bool in_message) {
  output::Value value;
  value.name = named.name;
  value.type = named.value.type;
  value.state = values::state_name(named.value.state);
  value.why = named.value.why;
  value.size = named.value.count;
  value.json = values::content_json(named.value, value.bytes_escaped);
  value.in_message = in_message;
  value.symbol = named.value.symbol;
  value.declared_type = named.value.declared_type;
  value.dynamic_type = named.value.dynamic_type;
  value.distance = named.value.distance;
  return value;
}

output::Value tree_value(const values::NamedValue& named) {
  output::Value value = shown_value(named, false);
  value.kind = values::kind_name(named.value);
  value.json = values::tree_json(named.value, value.bytes_escaped);
  return value;
}

output::Value scope_value(const ScopeValue& scope, const values::Value* decoded,
                          std::uint32_t line) {
  const symbols::Variable& variable = scope.variable;
  output::Value value;
  if (decoded != nullptr) {
    value = tree_value({scope.name, *decoded});
  } else {
    value.type = variable.type->name;
    value.state = values::state_name(values::ValueState::kUnavailable);
    value.why = scope.left_out;
  }
  value.name = scope.name;
  value.role = variable.kind == symbols::VariableKind::kArgument ? "argument" : "local";
  if (decoded != nullptr && decoded->state == values::ValueState::kOptimizedOut)
    if (const std::uint32_t near = nearest_line(variable, line); near != 0)
      value.why += (value.why.empty() ? "" : "; ") + ("available at line " + std::to_string(near));
  return value;
}

}  // namespace nohalt::session
