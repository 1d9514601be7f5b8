// The functions that an ELF file's symbol tables name, for code that has no
// debug information. Internal.
#pragma once

#include <libelf.h>

#include <string>
#include <vector>

#include "src/base/address.h"

namespace nohalt::symbols {

class FunctionSymbols {
 public:
  // Of .symtab where there is one, and of .dynsym.
  void add(Elf* elf);

  // The name of the function whose extent holds pc; of several names the one
  // that is meant for others. Empty: no function of known extent is there.
  [[nodiscard]] std::string at(LinkAddress pc) const;
  // The same of a function that begins at pc.
  [[nodiscard]] std::string beginning_at(LinkAddress pc) const;

 private:
  struct Symbol {
    LinkRange range;
    std::string name;
    bool global = false;
  };
  void add_table(Elf* elf, Elf_Scn* table);
  [[nodiscard]] const Symbol* find(LinkAddress pc) const;  // null: none
  [[nodiscard]] static bool is_better(const Symbol& a, const Symbol& b);
  void sort() const;

  mutable std::vector<Symbol> symbols_;
  mutable bool sorted_ = true;
};

}  // namespace nohalt::symbols
