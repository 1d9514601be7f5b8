// The vtables that an ELF file's symbol tables name. Public.
//
// Source: Itanium C++ ABI, sections 2.5 (vtable layout) and 5.1.4.1 (their names).
#pragma once

#include <libelf.h>

#include <string>
#include <string_view>
#include <vector>

#include "src/base/address.h"

namespace nohalt::symbols {

struct VtableSymbol {
  enum class Kind {
    kVtable,
    kConstruction,  // of a base while the object is still being made: `within` is what of
    kTypeinfo,      // what a vtable of the class points to
  };
  Kind kind = Kind::kVtable;
  std::string class_name;  // comparable
  std::string shown_name;  // as C++ spells it
  std::string within;
  LinkRange range;
  bool is_local = false;  // another file, or unit, may have another class of that name
};

// A class's name in the form in which names from symbols and from debug information are
// the same: one way to space, to write numbers and to order the words of a type.
[[nodiscard]] std::string comparable_name(std::string_view class_name);

// Adds those of the file, by address; what two tables say is there once.
void add_vtables(Elf* elf, std::vector<VtableSymbol>& vtables);

}  // namespace nohalt::symbols
