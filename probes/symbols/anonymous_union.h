// Variables that share their bytes under no name: `union { long card; int halves[2]; };`
// in a function or a namespace of C++. Compilers describe each member as an artificial
// variable of its own and, beside them, the union as a variable without a name. They are
// read as what they are, members of one variable: what holds for members of unions (which
// of them a rule hides, and what lies over it) then holds for them. Internal.
//
// Of those in a namespace Clang describes neither the union nor that they are of one: all
// have the linkage name of the first.
//
// Source: DWARF 5, section 4.1; as GCC 12 and Clang 19 write it.
#pragma once

#include <vector>

#include "probes/symbols/die.h"

namespace nohalt::symbols {

// A variable without a name, of a union.
[[nodiscard]] bool is_anonymous_union(Dwarf_Die variable);

// Those of one scope; of an inlined copy, also those that only its abstract instance has.
class AnonymousUnions {
 public:
  explicit AnonymousUnions(Dwarf_Die scope);
  // Whether the variable, of the same scope, is a member of one.
  [[nodiscard]] bool has(Dwarf_Die variable) const;

 private:
  void add_from(Dwarf_Die scope);

  std::vector<Dwarf_Die> types_;
};

// A variable whose linkage name is of another, with which it shares its bytes.
[[nodiscard]] bool is_symbol_of_another(Dwarf_Die variable);

}  // namespace nohalt::symbols
