// Names of functions, types and variables outside of function bodies, over all
// units: built once, when a name is first looked up. Internal.
#pragma once

#include <string_view>
#include <unordered_map>
#include <vector>

#include "probes/symbols/units.h"

namespace nohalt::symbols {

enum class NameKind : std::uint8_t { kFunction, kType, kVariable };

struct NamedDie {
  Dwarf_Die die{};
  Unit* unit = nullptr;
  NameKind kind = NameKind::kFunction;
};

class NameIndex {
 public:
  explicit NameIndex(const Units& units);

  // Definitions with this unqualified name, in unit order; declarations are
  // left out, but for variables.
  [[nodiscard]] const std::vector<NamedDie>& find(std::string_view base_name) const;

 private:
  void walk(Unit& unit, Dwarf_Die parent, int depth);
  void add(Unit& unit, Dwarf_Die die, NameKind kind);

  std::unordered_map<std::string_view, std::vector<NamedDie>> by_name_;
};

// True where `asked` names `full`: equal, or a suffix that begins at `::`; a
// component may leave out its template arguments.
[[nodiscard]] bool matches_qualified(std::string_view full, std::string_view asked);
// The last component, without template arguments.
[[nodiscard]] std::string_view base_name(std::string_view qualified);
// Edit distance (Levenshtein), for suggestions.
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);

}  // namespace nohalt::symbols
