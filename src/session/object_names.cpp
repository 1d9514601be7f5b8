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
                 const capture::IsRedacted& is_redacted) {
  const symbols::VtableSymbol* other = other_class(value, vtables);
  if (other == nullptr) return;
  if (is_hidden_object(value, vtables, is_redacted)) return hide(value);
  value.dynamic_type = other->shown_name;
}

}  // namespace

bool is_hidden_object(const values::Value& value, const classes::Vtables& vtables,
                      const capture::IsRedacted& is_redacted) {
  const symbols::VtableSymbol* other = is_redacted ? other_class(value, vtables) : nullptr;
  return other != nullptr && is_redacted("", undescribed(*other));
}

void name_objects(values::Value& value, const classes::Vtables& vtables,
                  const capture::IsRedacted& is_redacted) {
  for (auto& [name, member] : value.members) name_objects(member, vtables, is_redacted);
  for (values::Value& item : value.items) name_objects(item, vtables, is_redacted);
  for (values::Value& target : value.target) name_objects(target, vtables, is_redacted);
  if (value.vtable_pointer != 0) name_object(value, vtables, is_redacted);
}

}  // namespace nohalt::session
