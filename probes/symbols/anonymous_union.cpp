#include "probes/symbols/anonymous_union.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include "probes/symbols/name_index.h"

namespace nohalt::symbols {

namespace {

bool is_unnamed(Dwarf_Die die) {
  const char* name = die_name(die);
  return name == nullptr || *name == '\0';
}

bool has_member(Dwarf_Die type, std::string_view name, int nesting) {
  bool found = false;
  if (nesting > kMaxHops) return false;
  for_each_child(type, [&](Dwarf_Die child) {
    if (dwarf_tag(&child) != DW_TAG_member) return true;
    const std::optional<Dwarf_Die> inner = referenced(child, DW_AT_type);
    found = is_unnamed(child) ? inner && has_member(*inner, name, nesting + 1)
                              : die_name(child) == name;
    return !found;
  });
  return found;
}

}  // namespace

bool is_anonymous_union(Dwarf_Die variable) {
  if (dwarf_tag(&variable) != DW_TAG_variable || !is_unnamed(variable)) return false;
  std::optional<Dwarf_Die> type = referenced(declaration_of(variable), DW_AT_type);
  return type && dwarf_tag(&*type) == DW_TAG_union_type;
}

AnonymousUnions::AnonymousUnions(Dwarf_Die scope) {
  add_from(scope);
  if (const std::optional<Dwarf_Die> abstract = abstract_origin(scope)) add_from(*abstract);
}

void AnonymousUnions::add_from(Dwarf_Die scope) {
  for_each_child(scope, [&](Dwarf_Die child) {
    if (is_anonymous_union(child)) types_.push_back(*referenced(declaration_of(child), DW_AT_type));
    return true;
  });
}

bool AnonymousUnions::has(Dwarf_Die variable) const {
  if (types_.empty() || is_unnamed(variable) || !flag(variable, DW_AT_artificial)) return false;
  const std::string_view name = die_name(variable);
  return std::ranges::any_of(types_, [name](Dwarf_Die type) { return has_member(type, name, 0); });
}

bool is_symbol_of_another(Dwarf_Die variable) {
  std::optional<Dwarf_Attribute> linkage = attribute(variable, DW_AT_linkage_name);
  const char* text = linkage ? dwarf_formstring(&*linkage) : nullptr;
  if (text == nullptr || is_unnamed(variable)) return false;
  const std::string_view symbol = text;
  return symbol.starts_with("_Z") && !symbol.contains(base_name(die_name(variable)));
}

}  // namespace nohalt::symbols
