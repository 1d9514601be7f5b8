// Which classes derive from which, over all units: built once, when it is first asked
// for. Internal.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "probes/symbols/type_reader.h"
#include "probes/symbols/units.h"

namespace nohalt::symbols {

class ClassIndex {
 public:
  ClassIndex(const Units& units, TypeReader& types) : units_(units), types_(types) {}

  // The class itself and what derives from it, nearest first. Left out: what several
  // types go by the name of, and classes within functions.
  [[nodiscard]] std::vector<const Type*> with_heirs(const Type* type);

 private:
  // Classes of one name.
  struct Namesake {
    const Type* type = nullptr;
    Unit* unit = nullptr;
    bool is_ambiguous = false;
  };
  void build();
  void walk(Dwarf_Die parent, int depth);
  void add(Dwarf_Die die);
  void join(Namesake& known, Dwarf_Die die);

  const Units& units_;
  TypeReader& types_;
  bool is_built_ = false;
  // Classes by the names of their bases, without namespaces and template arguments.
  std::map<std::string, std::vector<Dwarf_Die>, std::less<>> by_base_;
};

}  // namespace nohalt::symbols
