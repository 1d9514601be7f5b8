// Units are found by their own ranges, not by .debug_aranges, which clang does
// not write and which may disagree.
#include "probes/symbols/units.h"

#include <algorithm>

namespace nohalt::symbols {

namespace {

constexpr int kDwLangC17 = 0x2c;
constexpr int kDwLangC23 = 0x3e;

bool is_c_like(Dwarf_Die& unit) {
  switch (dwarf_srclang(&unit)) {
    case DW_LANG_C89:
    case DW_LANG_C:
    case DW_LANG_C99:
    case DW_LANG_C11:
    case kDwLangC17:
    case kDwLangC23:
    case DW_LANG_Mips_Assembler:
    case -1:
      return true;
    default:
      return false;
  }
}

}  // namespace

std::string missing_part(const Unit& unit) {
  if (unit.die.addr != unit.skeleton.addr) return {};
  for (const unsigned name : {unsigned{DW_AT_dwo_name}, unsigned{DW_AT_GNU_dwo_name}}) {
    std::optional<Dwarf_Attribute> attribute = own_attribute(unit.skeleton, name);
    const char* file = attribute ? dwarf_formstring(&*attribute) : nullptr;
    if (file != nullptr) return file;
  }
  return {};
}

Result<std::unique_ptr<Units>> Units::read(Dwarf* dwarf, const ElfImage& image) {
  std::unique_ptr<Units> units(new Units(image));
  Dwarf_CU* cu = nullptr;
  Dwarf_Die die;
  Dwarf_Die split;
  std::uint8_t type = 0;
  int status = 0;
  while ((status = dwarf_get_units(dwarf, cu, &cu, nullptr, &type, &die, &split)) == 0)
    units->add(die, split);
  if (status < 0 && units->units_.empty()) {
    return fail(ErrorCode::kUsage, "malformed-dwarf",
                "The debug information cannot be read: " + std::string(dwarf_errmsg(-1)) + ".",
                "Rebuild the program, or supply an undamaged debug file.");
  }
  std::ranges::stable_sort(units->pieces_, {},
                           [](const Piece& piece) { return piece.range.begin; });
  return units;
}

void Units::add(Dwarf_Die die, Dwarf_Die split) {
  auto unit = std::make_unique<Unit>();
  unit->skeleton = die;
  unit->die = split.addr != nullptr ? split : die;
  unit->is_c = is_c_like(unit->die);
  unit->is_rust = dwarf_srclang(&unit->die) == DW_LANG_Rust;
  if (std::optional<Dwarf_Attribute> producer = own_attribute(unit->die, DW_AT_producer)) {
    const char* text = dwarf_formstring(&*producer);
    if (text != nullptr) unit->producer = text;
  }
  if (dwarf_tag(&die) == DW_TAG_compile_unit || dwarf_tag(&die) == DW_TAG_skeleton_unit)
    unit->ranges = code_ranges(die, image_);
  for (const LinkRange& range : unit->ranges) pieces_.push_back({range, unit.get()});
  by_die_.emplace(unit->skeleton.addr, unit.get());
  by_die_.emplace(unit->die.addr, unit.get());
  units_.push_back(std::move(unit));
}

Unit* Units::at(LinkAddress pc) const {
  auto after = std::ranges::upper_bound(pieces_, pc, {},
                                        [](const Piece& piece) { return piece.range.begin; });
  for (int step = 0; step < 16 && after != pieces_.begin(); ++step) {
    --after;
    if (after->range.contains(pc)) return after->unit;
  }
  return nullptr;
}

Unit* Units::of(Dwarf_Die die) const {
  Dwarf_Die unit;
  if (dwarf_diecu(&die, &unit, nullptr, nullptr) == nullptr) return nullptr;
  const auto known = by_die_.find(unit.addr);
  return known == by_die_.end() ? nullptr : known->second;
}

const UnitCode& Units::code(Unit& unit) const {
  if (!unit.code) unit.code = std::make_unique<UnitCode>(unit.die, image_, !unit.is_c);
  return *unit.code;
}

const LineTable& Units::lines(Unit& unit) const {
  if (!unit.lines) unit.lines = std::make_unique<LineTable>(unit.skeleton, unit.ranges, *files_);
  return *unit.lines;
}

const Function* Units::function_at(LinkAddress pc) const {
  Unit* unit = at(pc);
  return unit == nullptr ? nullptr : code(*unit).function_at(pc);
}

std::string Units::qualified_name(Dwarf_Die die) const {
  const char* name = die_name(die);
  if (name == nullptr) return {};
  const Dwarf_Die declared = declaration_of(die);
  Unit* unit = of(declared);
  if (unit == nullptr || unit->is_c) return name;
  return code(*unit).prefix_of(declared) + name;
}

}  // namespace nohalt::symbols
