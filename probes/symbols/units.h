// The compilation units of one DWARF file: which one an address or a DIE
// belongs to, and what was read of each so far. Only headers and ranges are
// read at the start; lines and code on demand, then kept. Internal.
#pragma once

#include <elfutils/libdw.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "probes/symbols/elf_image.h"
#include "probes/symbols/line_table.h"
#include "probes/symbols/unit_code.h"
#include "src/base/result.h"

namespace nohalt::symbols {

struct Unit {
  Dwarf_Die die{};       // holds the declarations
  Dwarf_Die skeleton{};  // holds ranges and lines; the same DIE unless split
  std::vector<LinkRange> ranges;
  bool is_c = false;  // C or assembler: names are not qualified, tags have their own name space
  std::string producer;
  std::unique_ptr<LineTable> lines;
  std::unique_ptr<UnitCode> code;
  bool is_rust = false;
};

// The file that holds the unit's declarations where that is one of its own (.dwo) and is not
// there, or not of this build; empty: the unit is whole.
[[nodiscard]] std::string missing_part(const Unit& unit);
inline constexpr std::string_view kMissingPartHint =
    "Put the .dwo file where the compiler made it; packages of them (.dwp) are not read.";

class Units {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Units>> read(Dwarf* dwarf, const ElfImage& image);

  [[nodiscard]] const std::vector<std::unique_ptr<Unit>>& all() const { return units_; }
  [[nodiscard]] Unit* at(LinkAddress pc) const;
  [[nodiscard]] Unit* of(Dwarf_Die die) const;
  [[nodiscard]] const UnitCode& code(Unit& unit) const;
  [[nodiscard]] const LineTable& lines(Unit& unit) const;
  [[nodiscard]] FileNames& files() const { return *files_; }

  // The function at pc, or null.
  [[nodiscard]] const Function* function_at(LinkAddress pc) const;
  // A declaration's name with its namespaces and classes; empty when unnamed.
  [[nodiscard]] std::string qualified_name(Dwarf_Die die) const;

 private:
  struct Piece {
    LinkRange range;
    Unit* unit;
  };

  explicit Units(const ElfImage& image) : image_(image), files_(std::make_unique<FileNames>()) {}
  void add(Dwarf_Die die, Dwarf_Die split);

  const ElfImage& image_;
  std::unique_ptr<FileNames> files_;
  std::vector<std::unique_ptr<Unit>> units_;
  std::vector<Piece> pieces_;
  std::unordered_map<const void*, Unit*> by_die_;
};

}  // namespace nohalt::symbols
