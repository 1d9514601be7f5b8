#include "probes/symbols/places.h"

#include <algorithm>
#include <map>
#include <set>

#include "probes/symbols/prologue.h"
#include "src/base/escape.h"

namespace nohalt::symbols {

namespace {

// Of a place in more code than this, copies are not looked for: nobody probes all of it.
constexpr std::size_t kMostWithRepeats = 1000;

void sort_unique(std::vector<LineSite>& sites) {
  std::ranges::stable_sort(sites, {}, &LineSite::pc);
  sites.erase(std::ranges::unique(sites, {}, &LineSite::pc).begin(), sites.end());
}

}  // namespace

const NameIndex& Places::names() const {
  if (!names_) names_ = std::make_unique<NameIndex>(units_);
  return *names_;
}

std::optional<std::uint32_t> Places::number_of(std::string_view file, Unit& unit) const {
  for (const std::uint32_t number : units_.lines(unit).files())
    if (units_.files().name(number) == file) return number;
  return std::nullopt;
}

Result<ResolvedPlace> Places::on_line(std::string_view file, std::uint32_t line,
                                      std::span<const std::uint32_t> units) const {
  ResolvedPlace place;
  for (const std::uint32_t index : units) {
    Unit& unit = *units_.all()[index];
    if (const auto number = number_of(file, unit)) add_line_sites(unit, *number, line, place);
  }
  if (place.sites.empty()) return no_code_on_line(file, line, units);
  sort_unique(place.sites);
  return place;
}

void Places::add_line_sites(Unit& unit, std::uint32_t file, std::uint32_t line,
                            ResolvedPlace& place) const {
  std::set<std::pair<const Function*, std::size_t>> seen;
  std::map<const Function*, std::vector<LineRow>> chosen;
  for (const LineRow& row : units_.lines(unit).rows()) {
    if (row.line != line || row.file != file || !row.is_statement || row.is_end) continue;
    const Function* function = units_.code(unit).function_at(row.pc);
    LinkAddress pc = row.pc;
    if (function != nullptr) {
      if (!seen.emplace(function, function->enclosing_block(function->innermost(pc))).second)
        continue;
      const LinkAddress body = body_of(image_, units_, unit, *function);
      if (pc < body && function->piece(pc).contains(body))
        pc = body;
      else
        chosen[function].push_back(row);
    }
    place.sites.push_back(site_at(unit, function, pc));
  }
  for (const auto& [function, rows] : chosen)
    add_repeats(unit, *function, rows, Between::kAnyStatement, place);
}

void Places::add_repeats(Unit& unit, const Function& function, const std::vector<LineRow>& rows,
                         Between between, ResolvedPlace& place) const {
  if (place.sites.size() > kMostWithRepeats) return;
  for (RepeatGroup& group : repeats_.find(unit, function, rows, between)) {
    LineRepeats repeats{
        .sites = {}, .others = {}, .entry = function.entry(), .marks = std::move(group.marks)};
    for (const LinkAddress pc : group.sites) repeats.sites.push_back(site_at(unit, &function, pc));
    for (const LinkAddress pc : group.others)
      repeats.others.push_back(site_at(unit, &function, pc));
    place.repeats.push_back(std::move(repeats));
  }
}

std::unexpected<Error> Places::no_code_on_line(std::string_view file, std::uint32_t line,
                                               std::span<const std::uint32_t> units) const {
  std::uint32_t below = 0;
  std::uint32_t above = 0;
  for (const std::uint32_t index : units) {
    Unit& unit = *units_.all()[index];
    const auto number = number_of(file, unit);
    for (const LineRow& row : units_.lines(unit).rows()) {
      if (row.file != number || !row.is_statement || row.is_end || row.line == 0) continue;
      if (row.line < line) below = std::max(below, row.line);
      if (row.line > line && (above == 0 || row.line < above)) above = row.line;
    }
  }
  const std::string name(file.substr(file.rfind('/') + 1));
  const std::string shown = escape_untrusted(name).text + ":";
  std::string near = below != 0 ? shown + std::to_string(below) : "";
  if (above != 0) near += (near.empty() ? "" : ", ") + shown + std::to_string(above);
  return fail(ErrorCode::kUsage, "no-code-on-line",
              name + ":" + std::to_string(line) + " has no code.",
              "Nearest lines that have: " + near + ".");
}

ResolvedPlace Places::of_function(std::string_view name, const std::optional<std::string>& file,
                                  std::span<const std::uint32_t> units) const {
  ResolvedPlace place;
  for (const std::uint32_t index : units)
    add_function_sites(*units_.all()[index], name, file, place);
  sort_unique(place.sites);
  return place;
}

std::vector<std::string> Places::missing_files() const {
  std::set<std::string> files;
  for (const std::unique_ptr<Unit>& unit : units_.all())
    if (std::string file = missing_part(*unit); !file.empty()) files.insert(std::move(file));
  return {files.begin(), files.end()};
}

void Places::add_function_sites(Unit& unit, std::string_view name,
                                const std::optional<std::string>& file,
                                ResolvedPlace& place) const {
  const std::string_view base = base_name(name);
  const auto is_meant = [&](Dwarf_Die die) {
    const char* own = die_name(die);
    return own != nullptr && base_name(own) == base &&
           matches_qualified(units_.qualified_name(die), name) &&
           (!file || declared_file(die) == *file);
  };
  for (const Function& function : units_.code(unit).functions()) {
    if (is_meant(function.self().die))
      place.sites.push_back(site_at(unit, &function, body_of(image_, units_, unit, function)));
    std::vector<LineRow> entries;
    for (const Scope& scope : function.scopes) {
      if (scope.kind != ScopeKind::kInlined || !is_meant(scope.die)) continue;
      LinkAddress pc = entry_of(scope);
      const LinkAddress body = body_of(image_, units_, unit, function);
      if (pc < body && contains(scope.ranges, body)) {
        pc = body;
      } else if (const LineRow* row = units_.lines(unit).covering(pc);
                 row != nullptr && row->pc == pc && row->is_statement) {
        entries.push_back(*row);
      }
      place.sites.push_back(site_at(unit, &function, pc));
    }
    // Where a loop is unrolled with a call inlined in it, one inlined copy has several entries.
    if (!entries.empty()) add_repeats(unit, function, entries, Between::kOutsideStatement, place);
  }
}

LineSite Places::site_at(Unit& unit, const Function* function, LinkAddress pc) const {
  LineSite site;
  site.pc = pc;
  const LineTable& lines = units_.lines(unit);
  if (const LineRow* row = lines.covering(pc)) {
    site.file = units_.files().name(row->file);
    site.line = row->line;
    site.statement = lines.statement(*row);
    site.statement.begin = pc;
    if (site.statement.end <= pc) site.statement.end = lines.end_of_row(pc);
  }
  if (function == nullptr) {
    for (const LinkRange& range : unit.ranges)
      if (range.contains(pc)) site.function_range = range;
    return site;
  }
  site.function_range = function->piece(pc);
  for (const LinkRange& range : function->self().ranges)
    if (!site.function_range.contains(range.begin)) site.other_pieces.push_back(range);
  const std::size_t scope = function->enclosing_function(function->innermost(pc));
  site.function = units_.qualified_name(function->scopes[scope].die);
  if (scope != 0) site.inlined_into = units_.qualified_name(function->self().die);
  return site;
}

std::optional<LineSite> Places::describe(LinkAddress pc) const {
  Unit* unit = units_.at(pc);
  if (unit == nullptr) return std::nullopt;
  return site_at(*unit, units_.code(*unit).function_at(pc), pc);
}

std::vector<FunctionRange> Places::functions() const {
  std::vector<FunctionRange> all;
  for (const std::unique_ptr<Unit>& unit : units_.all()) {
    if (unit->ranges.empty()) continue;
    for (const Function& function : units_.code(*unit).functions()) {
      const std::string name = units_.qualified_name(function.self().die);
      for (const LinkRange& range : function.self().ranges) all.push_back({name, range});
    }
  }
  std::ranges::stable_sort(all, {}, [](const FunctionRange& item) { return item.range.begin; });
  return all;
}

std::vector<StatementRow> Places::statements() const {
  std::vector<StatementRow> all;
  for (const std::unique_ptr<Unit>& unit : units_.all()) {
    for (const LineRow& row : units_.lines(*unit).rows()) {
      if (!row.is_statement || row.is_end || row.line == 0) continue;
      all.push_back({row.pc, units_.files().name(row.file), row.line});
    }
  }
  std::ranges::stable_sort(all, {}, &StatementRow::pc);
  return all;
}

}  // namespace nohalt::symbols
