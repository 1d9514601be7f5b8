#include "src/session/object_names.h"

namespace nohalt::session {

namespace {

using Kind = symbols::VtableSymbol::Kind;

std::string_view unqualified(std::string_view type) {
  for (const std::string_view word : {"const ", "volatile "})
    if (type.starts_with(word)) type.remove_prefix(word.size());
  return type;
}

void hide(values::Value& value) {
  values::Value hidden;
  hidden.type = value.type;
  hidden.state = values::ValueState::kRedacted;
  hidden.why = "hidden by policy";
  value = std::move(hidden);
}

// Nobody knows where it is declared: where that counts it is hidden.
symbols::Type undescribed(const symbols::VtableSymbol& symbol) {
  symbols::Type type;
  type.kind = symbols::TypeKind::kStruct;
  type.name = symbol.shown_name;
  return type;
}

void name_object(values::Value& value, const classes::Vtables& vtables,
                 const capture::IsRedacted& is_redacted) {
  const classes::Vtable* table = vtables.at({value.vtable_pointer});
  if (table == nullptr) return;
  const symbols::VtableSymbol& symbol = *table->symbol;
  // A class that is described was weighed with its declaration before it was read.
  if (symbol.class_name == symbols::comparable_name(unqualified(value.type))) return;
  if (is_redacted && is_redacted("", undescribed(symbol))) return hide(value);
  value.dynamic_type = symbol.shown_name;
}

}  // namespace

void name_objects(values::Value& value, const classes::Vtables& vtables,
                  const capture::IsRedacted& is_redacted) {
  for (auto& [name, member] : value.members) name_objects(member, vtables, is_redacted);
  for (values::Value& item : value.items) name_objects(item, vtables, is_redacted);
  for (values::Value& target : value.target) name_objects(target, vtables, is_redacted);
  if (value.vtable_pointer != 0) name_object(value, vtables, is_redacted);
}

}  // namespace nohalt::session
