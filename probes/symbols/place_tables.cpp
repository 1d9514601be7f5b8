#include "probes/symbols/place_tables.h"

#include <algorithm>
#include <string>
#include <unordered_set>

#include "probes/symbols/die.h"
#include "probes/symbols/index_store.h"
#include "probes/symbols/name_index.h"

namespace nohalt::symbols {

namespace {

void add(NameTable::Names& names, std::string_view name, std::uint32_t unit) {
  auto known = names.find(name);
  if (known == names.end()) known = names.emplace(name, std::vector<std::uint32_t>{}).first;
  if (known->second.empty() || known->second.back() != unit) known->second.push_back(unit);
}

NameTable::Names sources_of(const Units& units) {
  NameTable::Names names;
  for (std::uint32_t i = 0; i < units.all().size(); ++i)
    for (const std::uint32_t file : units.lines(*units.all()[i]).files())
      add(names, units.files().name(file), i);
  return names;
}

// All that may have code, at any depth: the walk goes where that of UnitCode goes.
class FunctionNames {
 public:
  FunctionNames(NameTable::Names& names, const Unit& unit, std::uint32_t number)
      : names_(names), unit_(unit), number_(number) {
    walk(unit.die, 0);
  }

 private:
  void walk(Dwarf_Die parent, int depth) {
    if (depth > kMaxDepth) return;
    for_each_child(parent, [&](Dwarf_Die die) {
      visit(die, depth + 1);
      return true;
    });
  }

  void visit(Dwarf_Die die, int depth) {
    switch (dwarf_tag(&die)) {
      case DW_TAG_subprogram:
        if (!flag(die, DW_AT_declaration) || dwarf_hasattr(&die, DW_AT_low_pc) != 0 ||
            dwarf_hasattr(&die, DW_AT_ranges) != 0)
          add_name(die);
        walk(die, depth);
        break;
      case DW_TAG_inlined_subroutine:
        add_name(die);
        walk(die, depth);
        break;
      case DW_TAG_lexical_block:
      case DW_TAG_try_block:
      case DW_TAG_catch_block:
      case DW_TAG_namespace:
      case DW_TAG_module:
        walk(die, depth);
        break;
      case DW_TAG_structure_type:
      case DW_TAG_class_type:
      case DW_TAG_union_type:
      case DW_TAG_interface_type:
        if (!unit_.is_c) walk(die, depth);
        break;
      default:
        break;
    }
  }

  void add_name(Dwarf_Die die) {
    const char* name = die_name(die);
    if (name != nullptr && seen_.insert(name).second) add(names_, base_name(name), number_);
  }

  NameTable::Names& names_;
  const Unit& unit_;
  std::uint32_t number_;
  std::unordered_set<const char*> seen_;  // the same text is mostly at the same address
};

NameTable::Names functions_of(const Units& units) {
  NameTable::Names names;
  for (std::uint32_t i = 0; i < units.all().size(); ++i) FunctionNames(names, *units.all()[i], i);
  return names;
}

// A row or a function counts only where the program has code.
std::string code_of(const ElfImage& program) {
  std::string code;
  for (const Segment& segment : program.segments())
    if (segment.executable)
      code += std::to_string(segment.range.begin.value) + "-" +
              std::to_string(segment.range.end.value) + ",";
  return code;
}

bool says_it_all(const DebugFile& file, const Units& units) {
  const ElfImage& holder = file.separate() != nullptr ? *file.separate() : file.program();
  return !holder.has_section(".gnu_debugaltlink") &&
         std::ranges::none_of(units.all(), [](const std::unique_ptr<Unit>& unit) {
           return unit->die.addr != unit->skeleton.addr ||
                  dwarf_tag(&unit->skeleton) == DW_TAG_skeleton_unit ||
                  dwarf_hasattr(&unit->skeleton, DW_AT_GNU_dwo_name) != 0 ||
                  dwarf_hasattr(&unit->skeleton, DW_AT_dwo_name) != 0;
         });
}

}  // namespace

Result<const NameTable*> PlaceTables::sources() { return table(sources_, "sources", sources_of); }

Result<const NameTable*> PlaceTables::functions() {
  return table(functions_, "functions", functions_of);
}

void PlaceTables::forget() {
  is_kept_used_ = false;
  sources_.reset();
  functions_.reset();
}

Result<const NameTable*> PlaceTables::table(std::optional<NameTable>& known, const char* kind,
                                            Collect collect) {
  if (known) return &*known;
  const ElfImage& holder = file_.separate() != nullptr ? *file_.separate() : file_.program();
  const IndexKey key{.kind = kind,
                     .build_id = holder.build_id(),
                     .code = code_of(file_.program()),
                     .file = holder.facts()};
  if (is_kept_used_)
    if (const auto bytes = read_index(key)) known = NameTable::read(*bytes);
  if (known) return &*known;
  NOHALT_TRY(const Units* units, units_());
  known.emplace(collect(*units), units->all().size());
  is_whole_ = says_it_all(file_, *units);
  if (is_whole_) keep_index(key, known->bytes());
  return &*known;
}

}  // namespace nohalt::symbols
