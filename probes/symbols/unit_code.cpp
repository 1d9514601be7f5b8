// One pass over a unit. The tree of scopes follows DWARF 5 sections 3.3 to 3.5;
// what counts as a block of its own follows what GDB does, because a line's
// places are chosen one for each block (see places.h).
#include "probes/symbols/unit_code.h"

#include <algorithm>

namespace nohalt::symbols {

namespace {

bool is_location_list(Dwarf_Attribute& location) {
  const unsigned form = dwarf_whatform(&location);
  return form == DW_FORM_sec_offset || form == DW_FORM_loclistx || form == DW_FORM_data4 ||
         form == DW_FORM_data8;
}

}  // namespace

std::size_t Function::innermost(LinkAddress pc) const {
  std::size_t best = 0;
  for (std::size_t i = 1; i < scopes.size(); ++i) {
    if (scopes[i].depth > scopes[best].depth && contains(scopes[i].ranges, pc)) best = i;
  }
  return best;
}

std::size_t Function::enclosing_function(std::size_t scope) const {
  while (scope != 0 && scopes[scope].kind == ScopeKind::kBlock) scope = scopes[scope].parent;
  return scope;
}

std::size_t Function::enclosing_block(std::size_t scope) const {
  while (scope != 0 && scopes[scope].kind == ScopeKind::kBlock && !scopes[scope].declares_symbols)
    scope = scopes[scope].parent;
  return scope;
}

LinkAddress Function::entry() const { return entry_of(self()); }

LinkRange Function::piece(LinkAddress pc) const {
  for (const LinkRange& range : self().ranges)
    if (range.contains(pc)) return range;
  return self().ranges.front();
}

LinkAddress entry_of(const Scope& scope) {
  Dwarf_Die die = scope.die;
  Dwarf_Addr entry = 0;
  if (dwarf_hasattr(&die, DW_AT_entry_pc) != 0 && dwarf_entrypc(&die, &entry) == 0 &&
      contains(scope.ranges, {entry}))
    return {entry};
  return scope.ranges.front().begin;
}

UnitCode::UnitCode(Dwarf_Die unit, const ElfImage& image, bool has_qualified_names)
    : image_(image), has_qualified_names_(has_qualified_names), prefixes_(1) {
  walk(unit, {});
  sort_pieces();
}

void UnitCode::walk(Dwarf_Die parent, Place place) {
  if (++place.depth > kMaxDepth) return;
  for_each_child(parent, [&](Dwarf_Die child) {
    visit(child, place);
    return true;
  });
}

void UnitCode::visit(Dwarf_Die die, Place place) {
  if (place.prefix != 0) prefix_by_die_.emplace(die.addr, place.prefix);
  switch (dwarf_tag(&die)) {
    case DW_TAG_subprogram:
      visit_code(die, ScopeKind::kFunction, place);
      break;
    case DW_TAG_inlined_subroutine:
      visit_code(die, ScopeKind::kInlined, place);
      break;
    case DW_TAG_lexical_block:
    case DW_TAG_try_block:
    case DW_TAG_catch_block:
      visit_code(die, ScopeKind::kBlock, place);
      break;
    case DW_TAG_namespace:
    case DW_TAG_module:
      if (has_qualified_names_) place.prefix = enter_prefix(die, place.prefix);
      walk(die, place);
      break;
    case DW_TAG_structure_type:
    case DW_TAG_class_type:
    case DW_TAG_union_type:
    case DW_TAG_interface_type:
      visit_symbol(die, place);
      if (!has_qualified_names_) break;
      place.prefix = enter_prefix(die, place.prefix);
      walk(die, place);
      break;
    case DW_TAG_variable:
    case DW_TAG_formal_parameter:
    case DW_TAG_label:
    case DW_TAG_typedef:
    case DW_TAG_enumeration_type:
      visit_symbol(die, place);
      break;
    default:
      break;
  }
}

void UnitCode::visit_code(Dwarf_Die die, ScopeKind kind, Place place) {
  std::vector<LinkRange> ranges = code_ranges(die, image_);
  if (kind == ScopeKind::kFunction) {
    place.prefix = 0;
    place.function = SIZE_MAX;
    place.scope = 0;
    if (!ranges.empty()) {
      place.function = functions_.size();
      for (const LinkRange& range : ranges) pieces_.push_back({range, place.function});
      Function& function = functions_.emplace_back();
      function.scopes.push_back({kind, die, std::move(ranges), 0, 0, true});
    }
  } else if (place.function != SIZE_MAX && !ranges.empty()) {
    std::vector<Scope>& scopes = functions_[place.function].scopes;
    const std::uint32_t depth = scopes[place.scope].depth + 1;
    scopes.push_back(
        {kind, die, std::move(ranges), place.scope, depth, kind == ScopeKind::kInlined});
    place.scope = scopes.size() - 1;
  } else if (kind == ScopeKind::kInlined) {
    return;
  }
  walk(die, place);
}

void UnitCode::visit_symbol(Dwarf_Die die, const Place& place) {
  if (place.function == SIZE_MAX) return;
  functions_[place.function].scopes[place.scope].declares_symbols = true;
  if (has_location_lists_) return;
  std::optional<Dwarf_Attribute> location = own_attribute(die, DW_AT_location);
  has_location_lists_ = location && is_location_list(*location);
}

std::size_t UnitCode::enter_prefix(Dwarf_Die die, std::size_t prefix) {
  const char* name = die_name(die);
  const bool is_namespace = dwarf_tag(&die) == DW_TAG_namespace;
  if (name == nullptr && !is_namespace) return prefix;
  // A definition outside of its namespace names it by its specification.
  std::string full = prefixes_[prefix];
  const Dwarf_Die declared = declaration_of(die);
  if (declared.addr != die.addr) {
    if (const auto known = prefix_by_die_.find(declared.addr); known != prefix_by_die_.end())
      full = prefixes_[known->second];
  }
  full += name != nullptr ? name : "(anonymous namespace)";
  full += "::";
  prefixes_.push_back(std::move(full));
  return prefixes_.size() - 1;
}

void UnitCode::sort_pieces() {
  std::ranges::stable_sort(pieces_, {}, [](const Piece& piece) { return piece.range.begin; });
}

const Function* UnitCode::function_at(LinkAddress pc) const {
  auto after = std::ranges::upper_bound(pieces_, pc, {},
                                        [](const Piece& piece) { return piece.range.begin; });
  // Functions do not overlap but in damaged files; a few steps back find nested ones.
  for (int step = 0; step < 16 && after != pieces_.begin(); ++step) {
    --after;
    if (after->range.contains(pc)) return &functions_[after->function];
  }
  return nullptr;
}

const std::string& UnitCode::prefix_of(Dwarf_Die declaration) const {
  const auto known = prefix_by_die_.find(declaration.addr);
  return prefixes_[known == prefix_by_die_.end() ? 0 : known->second];
}

}  // namespace nohalt::symbols
