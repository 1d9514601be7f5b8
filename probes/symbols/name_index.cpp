#include "probes/symbols/name_index.h"

#include <algorithm>

namespace nohalt::symbols {

namespace {

// Splits at `::` outside of template arguments and parentheses.
std::vector<std::string_view> components(std::string_view name) {
  std::vector<std::string_view> parts;
  std::size_t begin = 0;
  int depth = 0;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (name.substr(begin, i - begin) == "operator") {
      // The symbols of an operator are not brackets.
      while (i < name.size() && std::string_view("<>-=()[]").contains(name[i])) ++i;
      if (i >= name.size()) break;
    }
    const bool is_arrow = name[i] == '>' && i > 0 && name[i - 1] == '-';  // fn(u8) -> u8
    if (name[i] == '<' || name[i] == '(') ++depth;
    if (((name[i] == '>' && !is_arrow) || name[i] == ')') && depth > 0) --depth;
    if (depth == 0 && name.substr(i).starts_with("::")) {
      parts.push_back(name.substr(begin, i - begin));
      begin = i + 2;
      ++i;
    }
  }
  parts.push_back(name.substr(begin));
  return parts;
}

std::string_view without_arguments(std::string_view component) {
  if (component.starts_with("operator")) return component;
  if (component.empty() || component.front() == '<' || component.front() == '(') return component;
  return component.substr(0, component.find('<'));
}

}  // namespace

bool matches_qualified(std::string_view full, std::string_view asked) {
  if (asked.starts_with("::")) asked.remove_prefix(2);
  const std::vector<std::string_view> have = components(full);
  const std::vector<std::string_view> want = components(asked);
  if (want.size() > have.size()) return false;
  return std::equal(want.rbegin(), want.rend(), have.rbegin(),
                    [](std::string_view wanted, std::string_view held) {
                      return wanted == held || wanted == without_arguments(held);
                    });
}

std::string_view base_name(std::string_view qualified) {
  return without_arguments(components(qualified).back());
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, change});
    }
  }
  return row[b.size()];
}

NameIndex::NameIndex(const Units& units) {
  for (const std::unique_ptr<Unit>& unit : units.all()) walk(*unit, unit->die, 0);
}

void NameIndex::walk(Unit& unit, Dwarf_Die parent, int depth) {
  if (depth > kMaxDepth) return;
  for_each_child(parent, [&](Dwarf_Die die) {
    switch (dwarf_tag(&die)) {
      case DW_TAG_subprogram:
        if (!flag(die, DW_AT_declaration) || dwarf_hasattr(&die, DW_AT_specification) != 0)
          add(unit, die, NameKind::kFunction);
        break;
      case DW_TAG_variable:
        add(unit, die, NameKind::kVariable);
        break;
      case DW_TAG_namespace:
      case DW_TAG_module:
        walk(unit, die, depth + 1);
        break;
      case DW_TAG_structure_type:
      case DW_TAG_class_type:
      case DW_TAG_union_type:
        if (!flag(die, DW_AT_declaration)) add(unit, die, NameKind::kType);
        if (!unit.is_c) walk(unit, die, depth + 1);
        break;
      case DW_TAG_enumeration_type:
      case DW_TAG_typedef:
      case DW_TAG_base_type:
      case DW_TAG_unspecified_type:
        if (!flag(die, DW_AT_declaration)) add(unit, die, NameKind::kType);
        break;
      default:
        break;
    }
    return true;
  });
}

void NameIndex::add(Unit& unit, Dwarf_Die die, NameKind kind) {
  const char* name = die_name(die);
  if (name == nullptr) return;
  const std::string_view base = unit.is_c ? std::string_view(name) : without_arguments(name);
  by_name_[base].push_back({die, &unit, kind});
}

const std::vector<NamedDie>& NameIndex::find(std::string_view name) const {
  static const std::vector<NamedDie> kNone;
  const auto known = by_name_.find(name);
  return known == by_name_.end() ? kNone : known->second;
}

}  // namespace nohalt::symbols
