#include "src/session/object_names.h"

namespace nohalt::session {

namespace {

using Kind = symbols::VtableSymbol::Kind;

std::string_view unqualified(std::string_view type) {
  for (const std::string_view word : {"const ", "volatile "})
    if (type.starts_with(word)) type.remove_prefix(word.size());
  return type;
}

void hide(values::Value& value, const capture::Why& why) {
  values::Value hidden;
  hidden.type = value.type;
  hidden.state = why.state;
  hidden.why = why.text;
  hidden.rule = why.rule;
  hidden.is_dropped = why.is_dropped;
  value = std::move(hidden);
}

// Nobody knows where it is declared: where that counts it is hidden.
symbols::Type undescribed(const symbols::VtableSymbol& symbol) {
  symbols::Type type;
  type.kind = symbols::TypeKind::kStruct;
  type.name = symbol.shown_name;
  return type;
}

// What the object is where that is not what it is shown as; null: it is that, or nobody
// knows. A class that is described was weighed with its declaration before it was read.
const symbols::VtableSymbol* other_class(const values::Value& value,
                                         const classes::Vtables& vtables) {
  const classes::Vtable* table = vtables.at({value.vtable_pointer});
  if (table == nullptr) return nullptr;
  const bool is_shown =
      table->symbol->class_name == symbols::comparable_name(unqualified(value.type));
  return is_shown ? nullptr : table->symbol;
}

void name_object(values::Value& value, const classes::Vtables& vtables,
                 const capture::Redaction& redaction) {
  const symbols::VtableSymbol* other = other_class(value, vtables);
  if (other == nullptr) return;
  if (const auto why = why_object_hidden(value, vtables, redaction)) return hide(value, *why);
  value.dynamic_type = other->shown_name;
}

}  // namespace

std::optional<capture::Why> why_object_hidden(const values::Value& value,
                                              const classes::Vtables& vtables,
                                              const capture::Redaction& redaction) {
  const symbols::VtableSymbol* other = redaction.rule ? other_class(value, vtables) : nullptr;
  return other == nullptr ? std::nullopt : redaction.rule("", undescribed(*other));
}

void name_objects(values::Value& value, const classes::Vtables& vtables,
                  const capture::Redaction& redaction) {
  for (auto& [name, member] : value.members) name_objects(member, vtables, redaction);
  for (values::Value& item : value.items) name_objects(item, vtables, redaction);
  for (values::Value& target : value.target) name_objects(target, vtables, redaction);
  if (value.vtable_pointer != 0) name_object(value, vtables, redaction);
}

}  // namespace nohalt::session
