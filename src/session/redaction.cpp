#include "src/session/redaction.h"

#include <optional>

namespace nohalt::session {

namespace {

using capture::Why;
using policy::HideRule;
using symbols::Type;
using symbols::TypeKind;

Why why_by(const HideRule& rule, const std::string& what) {
  return {capture::ValueState::kRedacted, "hidden by policy: " + what + " (" + rule.where + ")",
          rule.pattern, rule.is_dropped};
}

// A declaration has a place, a basic type has none; an array or pointer is what it is of.
bool has_declaration(const Type& type) {
  return type.kind == TypeKind::kStruct || type.kind == TypeKind::kUnion ||
         type.kind == TypeKind::kEnum || !type.declared_in.empty();
}

bool is_denied(const policy::Leave& leave, const Type& type) {
  return has_declaration(type) &&
         leave.hides({policy::SourceUse::Kind::kType, "type " + type.name, type.declared_in, {}});
}

constexpr int kMostSteps = 64;  // what is further off than this is malformed, and hidden

std::optional<Why> why_hidden(const policy::RedactionRules& rules, const Type& type, int steps) {
  if (const HideRule* rule = rules.match_type(type.name))
    return why_by(*rule, "type '" + rule->pattern + "'");
  if (rules.has_source_rules() && has_declaration(type))
    if (const HideRule* rule = rules.match_source(type.declared_in))
      return why_by(*rule, "source '" + rule->pattern + "'");
  if (steps > kMostSteps) return Why{capture::ValueState::kRedacted, "hidden by policy"};
  const bool leads_on = type.kind == TypeKind::kPointer || type.kind == TypeKind::kReference ||
                        type.kind == TypeKind::kArray || type.kind == TypeKind::kTypedef;
  if (leads_on && type.target != nullptr) return why_hidden(rules, *type.target, steps + 1);
  for (const symbols::Member& member : type.members)
    if (member.is_base_class && member.type != nullptr)
      if (auto why = why_hidden(rules, *member.type, steps + 1)) return why;
  return std::nullopt;
}

}  // namespace

capture::Redaction redaction_of(const policy::RedactionRules& rules, const policy::Leave* leave) {
  if (leave != nullptr && !leave->has_source_rules()) leave = nullptr;
  capture::Redaction redaction;
  const bool by_type = rules.has_type_rules() || rules.has_source_rules();
  redaction.rule = [&rules, leave, by_type](std::string_view path,
                                            const Type& type) -> std::optional<Why> {
    if (const HideRule* rule = rules.match_name(path))
      return why_by(*rule, "name '" + rule->pattern + "'");
    if (leave != nullptr && is_denied(*leave, type))
      return Why{capture::ValueState::kRedacted, "hidden by policy: its source is denied",
                 "source"};
    return by_type ? why_hidden(rules, type, 0) : std::nullopt;
  };
  if (rules.has_source_rules())
    redaction.variable = [&rules](const symbols::Variable& variable) -> std::optional<Why> {
      // The compiler's own, such as `this`, are declared nowhere; their types are.
      if (variable.is_artificial && variable.declared_file.empty()) return std::nullopt;
      const HideRule* rule = rules.match_source(variable.declared_file);
      if (rule == nullptr) return std::nullopt;
      return why_by(*rule, "source '" + rule->pattern + "'");
    };
  if (const HideRule* strict = rules.strict())
    redaction.all_but_numbers = why_by(*strict, "no number");
  return redaction;
}

}  // namespace nohalt::session
