#include "probes/symbols/line_repeats.h"

#include <algorithm>
#include <string_view>

namespace nohalt::symbols {

namespace {

// In code without the marks, a row that begins no statement is on the line before it.
bool marks_statements(const Unit& unit, const std::vector<LineRow>& rows) {
  if (!unit.producer.starts_with("GNU C")) return false;
  for (std::size_t i = 1; i < rows.size(); ++i)
    if (!rows[i].is_statement && rows[i].line != rows[i - 1].line) return true;
  return false;
}

bool holds(const std::vector<LinkAddress>& addresses, LinkAddress pc) {
  return std::ranges::find(addresses, pc) != addresses.end();
}

}  // namespace

const RepeatFinder::UnitLines& RepeatFinder::lines_of(Unit& unit) const {
  std::unique_ptr<UnitLines>& lines = known_[&unit];
  if (lines) return *lines;
  lines = std::make_unique<UnitLines>();
  lines->rows = unfiltered_rows(unit.skeleton, unit.ranges, units_.files());
  lines->has_marks = marks_statements(unit, lines->rows);
  add_declarations(unit.die, 0, *lines);
  for (auto& [file, declared] : lines->declared) std::ranges::sort(declared);
  return *lines;
}

// A lambda is written inside of a function, whose lines do not end with it.
void RepeatFinder::add_declarations(Dwarf_Die parent, int depth, UnitLines& lines) const {
  if (depth > kMaxDepth) return;
  for_each_child(parent, [&](Dwarf_Die child) {
    switch (dwarf_tag(&child)) {
      case DW_TAG_subprogram: {
        const char* name = die_name(child);
        const Owner owner = declared_at(child);
        if (own_attribute(child, DW_AT_declaration) || name == nullptr || owner.line == 0 ||
            std::string_view(name) == "operator()")
          break;
        lines.declared[owner.file].push_back(owner.line);
        break;
      }
      case DW_TAG_namespace:
      case DW_TAG_module:
      case DW_TAG_structure_type:
      case DW_TAG_class_type:
        add_declarations(child, depth + 1, lines);
        break;
      default:
        break;
    }
    return true;
  });
}

RepeatFinder::Owner RepeatFinder::declared_at(Dwarf_Die die) const {
  const std::string file = declared_file(die);
  const auto line = unsigned_attribute(die, DW_AT_decl_line);
  if (file.empty() || !line) return {};
  return {units_.files().intern(file), static_cast<std::uint32_t>(*line)};
}

std::vector<RepeatFinder::Owner> RepeatFinder::owners_of(const Function& function) const {
  std::vector<Owner> owners;
  for (const Scope& scope : function.scopes)
    owners.push_back(scope.kind == ScopeKind::kBlock ? Owner{} : declared_at(scope.die));
  return owners;
}

std::vector<LineRow> RepeatFinder::rows_of(const UnitLines& lines, const Function& function) {
  std::vector<LinkRange> pieces = function.self().ranges;
  std::ranges::sort(pieces, {}, &LinkRange::begin);
  std::vector<LineRow> rows;
  for (const LinkRange& piece : pieces) {
    const auto begin = std::ranges::lower_bound(lines.rows, piece.begin, {}, &LineRow::pc);
    const auto end = std::ranges::lower_bound(lines.rows, piece.end, {}, &LineRow::pc);
    rows.insert(rows.end(), begin, std::max(begin, end));
  }
  return rows;
}

RepeatFinder::Owner RepeatFinder::owner_of(const UnitLines& lines, const LineRow& row) {
  const auto declared = lines.declared.find(row.file);
  if (declared == lines.declared.end()) return {};
  const auto after = std::ranges::upper_bound(declared->second, row.line);
  return after == declared->second.begin() ? Owner{} : Owner{row.file, *(after - 1)};
}

// An address may be that of code that is inlined into the statement which begins there; the
// statement is the function's in which its line is written.
std::size_t RepeatFinder::instance_of(const UnitLines& lines, const Function& function,
                                      const std::vector<Owner>& owners, const LineRow& row) {
  const std::size_t innermost = function.enclosing_function(function.innermost(row.pc));
  const Owner owner = owner_of(lines, row);
  for (std::size_t scope = innermost;;) {
    if (owners[scope] == owner) return scope;
    if (scope == 0) return innermost;
    scope = function.enclosing_function(function.scopes[scope].parent);
  }
}

bool RepeatFinder::is_line(const View& view, const LineRow& row) {
  return row.line == view.row.line && row.file == view.row.file &&
         instance_of(view.lines, view.function, view.owners, row) == view.instance;
}

bool RepeatFinder::is_between(const View& view, const LineRow& row) {
  if (!row.is_statement || (row.line == view.row.line && row.file == view.row.file)) return false;
  const Owner owner = owner_of(view.lines, row);
  if (owner.line == 0 || std::ranges::find(view.around, owner) == view.around.end()) return false;
  // Of a function that is inlined into itself it cannot be told whose statement it is.
  std::size_t scope = view.function.enclosing_function(view.function.innermost(row.pc));
  for (bool is_seen = false; scope != 0;
       scope = view.function.enclosing_function(view.function.scopes[scope].parent)) {
    if (view.owners[scope] != owner) continue;
    if (is_seen) return false;
    is_seen = true;
  }
  return true;
}

// A mark has code where an instruction of its line comes before the next statement begins.
RepeatGroup RepeatFinder::marked(const View& view) {
  RepeatGroup group{.sites = view.chosen, .others = {}, .marks = {}};
  std::size_t open = 0;  // from here on, marks whose statement may have its code still to come
  const LineRow* last = nullptr;
  const auto pass_code = [&] {
    if (last == nullptr || last->line != view.row.line || last->file != view.row.file) return;
    for (; open < group.marks.size(); ++open) group.marks[open].is_hollow = false;
  };
  for (const LineRow& row : view.rows) {
    if (last != nullptr && last->pc != row.pc) pass_code();
    last = &row;
    if (!row.is_statement) continue;
    if (row.column == view.row.column && is_line(view, row)) {
      group.marks.push_back({.pc = row.pc, .is_same = true, .is_hollow = true});
      if (!holds(group.sites, row.pc) && !holds(group.others, row.pc))
        group.others.push_back(row.pc);
    } else if (is_between(view, row)) {
      group.marks.push_back({.pc = row.pc, .is_same = false, .is_hollow = true});
      open = group.marks.size();
    }
  }
  pass_code();
  return group;
}

RepeatGroup RepeatFinder::unmarked(const View& view) {
  RepeatGroup group{.sites = view.chosen, .others = {}, .marks = {}};
  struct Run {
    bool is_open = false;
    LinkAddress begin;
    bool is_same = false;
    bool is_chosen = false;
  };
  Run run;
  LinkAddress last;
  const auto finish = [&] {
    if (run.is_open && run.is_same && !run.is_chosen) group.others.push_back(run.begin);
    run = Run{};
  };
  for (const LineRow& row : view.rows) {
    if (!view.function.piece(row.pc).contains(last)) finish();
    last = row.pc;
    if (is_line(view, row)) {
      if (!run.is_open) run = {.is_open = true, .begin = row.pc};
      run.is_same |= view.is_optimised || row.column == view.row.column;
      run.is_chosen |= holds(view.chosen, row.pc);
    } else if (is_between(view, row)) {
      finish();
    }
  }
  finish();
  return group;
}

std::vector<RepeatGroup> RepeatFinder::find(Unit& unit, const Function& function,
                                            const std::vector<LineRow>& rows,
                                            Between between) const {
  std::vector<View> views;
  const UnitLines& lines = lines_of(unit);
  const std::vector<Owner> owners = owners_of(function);
  const std::vector<LineRow> own = rows_of(lines, function);
  const bool is_optimised = units_.code(unit).has_location_lists();
  const bool is_by_column = lines.has_marks || !is_optimised;
  for (const LineRow& row : rows) {
    const std::size_t instance = instance_of(lines, function, owners, row);
    const auto same = std::ranges::find_if(views, [&](const View& view) {
      return view.instance == instance && (!is_by_column || view.row.column == row.column);
    });
    if (same != views.end()) {
      same->chosen.push_back(row.pc);
      continue;
    }
    View view{lines, function, owners, own, row, is_optimised, instance, {}, {row.pc}};
    if (between == Between::kAnyStatement) view.around.push_back(owners[instance]);
    for (std::size_t scope = instance; scope != 0;) {
      scope = function.enclosing_function(function.scopes[scope].parent);
      view.around.push_back(owners[scope]);
    }
    views.push_back(std::move(view));
  }
  std::vector<RepeatGroup> groups;
  for (const View& view : views) {
    RepeatGroup group = lines.has_marks ? marked(view) : unmarked(view);
    if (!group.others.empty()) groups.push_back(std::move(group));
  }
  return groups;
}

}  // namespace nohalt::symbols
