#include "probes/symbols/places.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <optional>
#include <set>
#include <unordered_set>

#include "probes/symbols/prologue.h"
#include "src/base/escape.h"

namespace nohalt::symbols {

namespace {

constexpr std::size_t kMaxCandidates = 8;

// Names that the program's debug information gives, for a message.
std::string join(const std::vector<std::string>& items) {
  std::string text;
  for (const std::string& item : items)
    text += (text.empty() ? "" : ", ") + escape_untrusted(item).text;
  return text;
}

std::string file_of(std::string_view path) { return std::string(path.substr(path.rfind('/') + 1)); }

bool matches_path(std::string_view full, std::string_view asked) {
  if (!full.ends_with(asked)) return false;
  return full.size() == asked.size() || full[full.size() - asked.size() - 1] == '/';
}

std::unexpected<Error> malformed(std::string_view location) {
  return fail(ErrorCode::kUsage, "malformed-location",
              "'" + std::string(location) + "' is not a location.",
              "Write file.c:142, path/file.c:142, function, file.c:function or Class::method.");
}

// The last colon that is not part of `::`, or npos.
std::size_t line_colon(std::string_view location) {
  const std::size_t at = location.rfind(':');
  if (at == std::string_view::npos || (at > 0 && location[at - 1] == ':'))
    return std::string_view::npos;
  return at;
}

// What is before a parameter list; `operator()` and a leading `(` begin none.
std::string_view without_parameters(std::string_view name) {
  std::size_t from = name.find("operator()");
  from = from == std::string_view::npos ? 1 : from + std::string_view("operator()").size();
  return name.substr(0, name.find('(', from));
}

bool may_be_a_name(std::string_view text) {
  return !text.empty() && (text[0] < '0' || text[0] > '9');
}

void sort_unique(std::vector<LineSite>& sites) {
  std::ranges::stable_sort(sites, {}, &LineSite::pc);
  sites.erase(std::ranges::unique(sites, {}, &LineSite::pc).begin(), sites.end());
}

}  // namespace

const NameIndex& Places::names() const {
  if (!names_) names_ = std::make_unique<NameIndex>(units_);
  return *names_;
}

Result<ResolvedPlace> Places::resolve(std::string_view location) const {
  const std::size_t colon = line_colon(location);
  if (colon == std::string_view::npos) {
    if (location.empty() || location.ends_with(':')) return malformed(location);
    return resolve_function(location, std::nullopt);
  }
  const std::string_view digits = location.substr(colon + 1);
  if (colon > 0 && may_be_a_name(digits)) {
    NOHALT_TRY(const std::uint32_t file, find_file(location.substr(0, colon)));
    return resolve_function(digits, file);
  }
  std::uint32_t line = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), line);
  if (error != std::errc{} || end != digits.data() + digits.size() || line == 0 || colon == 0)
    return malformed(location);
  return resolve_line(location.substr(0, colon), line);
}

Result<std::uint32_t> Places::find_file(std::string_view asked) const {
  const std::string normal = std::filesystem::path(asked).lexically_normal().string();
  std::set<std::uint32_t> found;
  std::set<std::string> similar;
  for (const std::unique_ptr<Unit>& unit : units_.all()) {
    for (const std::uint32_t file : units_.lines(*unit).files()) {
      const std::string& name = units_.files().name(file);
      if (name == normal) return file;
      if (matches_path(name, normal)) found.insert(file);
      if (edit_distance(file_of(name), file_of(normal)) <= 2) similar.insert(name);
    }
  }
  if (found.size() == 1) return *found.begin();
  if (found.empty()) {
    std::vector<std::string> near(similar.begin(), similar.end());
    if (near.size() > kMaxCandidates) near.resize(kMaxCandidates);
    return fail(ErrorCode::kUsage, "no-such-file",
                "No code of this program comes from a file named '" + normal + "'.",
                near.empty() ? "Name a source file of the program." : "Near: " + join(near) + ".");
  }
  std::vector<std::string> candidates;
  for (const std::uint32_t file : found)
    if (candidates.size() < kMaxCandidates) candidates.push_back(units_.files().name(file));
  return fail(ErrorCode::kUsage, "ambiguous-file",
              "'" + normal + "' stands for " + std::to_string(found.size()) + " files.",
              "Name one with more of its path: " + join(candidates) + ".");
}

Result<ResolvedPlace> Places::resolve_line(std::string_view asked, std::uint32_t line) const {
  NOHALT_TRY(const std::uint32_t file, find_file(asked));
  ResolvedPlace place;
  for (const std::unique_ptr<Unit>& unit : units_.all())
    if (std::ranges::binary_search(units_.lines(*unit).files(), file))
      add_line_sites(*unit, file, line, place.sites);
  if (place.sites.empty()) return no_code_on_line(file, line);
  sort_unique(place.sites);
  return place;
}

void Places::add_line_sites(Unit& unit, std::uint32_t file, std::uint32_t line,
                            std::vector<LineSite>& sites) const {
  std::set<std::pair<const Function*, std::size_t>> seen;
  for (const LineRow& row : units_.lines(unit).rows()) {
    if (row.line != line || row.file != file || !row.is_statement || row.is_end) continue;
    const Function* function = units_.code(unit).function_at(row.pc);
    LinkAddress pc = row.pc;
    if (function != nullptr) {
      if (!seen.emplace(function, function->enclosing_block(function->innermost(pc))).second)
        continue;
      const LinkAddress body = body_of(image_, units_, unit, *function);
      if (pc < body && function->piece(pc).contains(body)) pc = body;
    }
    sites.push_back(site_at(unit, function, pc));
  }
}

std::unexpected<Error> Places::no_code_on_line(std::uint32_t file, std::uint32_t line) const {
  std::uint32_t below = 0;
  std::uint32_t above = 0;
  for (const std::unique_ptr<Unit>& unit : units_.all()) {
    for (const LineRow& row : units_.lines(*unit).rows()) {
      if (row.file != file || !row.is_statement || row.is_end || row.line == 0) continue;
      if (row.line < line) below = std::max(below, row.line);
      if (row.line > line && (above == 0 || row.line < above)) above = row.line;
    }
  }
  const std::string name = file_of(units_.files().name(file));
  std::vector<std::string> near;
  if (below != 0) near.push_back(name + ":" + std::to_string(below));
  if (above != 0) near.push_back(name + ":" + std::to_string(above));
  return fail(ErrorCode::kUsage, "no-code-on-line",
              name + ":" + std::to_string(line) + " has no code.",
              "Nearest lines that have: " + join(near) + ".");
}

Result<ResolvedPlace> Places::resolve_function(std::string_view asked,
                                               std::optional<std::uint32_t> file) const {
  const std::string_view name = without_parameters(asked);
  std::unordered_set<Unit*> involved;
  for (const NamedDie& named : names().find(base_name(name))) {
    if (named.kind != NameKind::kFunction) continue;
    if (!matches_qualified(units_.qualified_name(named.die), name)) continue;
    involved.insert(named.unit);
  }
  ResolvedPlace place;
  for (Unit* unit : involved) add_function_sites(*unit, name, file, place.sites);
  // Link-time optimisation puts copies into other units; local classes' methods
  // are not in the index.
  for (const std::unique_ptr<Unit>& unit : units_.all()) {
    const bool may_hold_others =
        involved.empty() || unit->producer.find("GIMPLE") != std::string::npos;
    if (may_hold_others && !involved.contains(unit.get()))
      add_function_sites(*unit, name, file, place.sites);
  }
  if (place.sites.empty()) return no_such_function(asked, base_name(name), file);
  sort_unique(place.sites);
  return place;
}

std::unexpected<Error> Places::no_such_function(std::string_view asked, std::string_view base,
                                                std::optional<std::uint32_t> file) const {
  const std::string of_file =
      file ? " of " + escape_untrusted(file_of(units_.files().name(*file))).text : "";
  const std::vector<std::string> near = names().similar_functions(base, 5);
  return fail(
      ErrorCode::kUsage, "no-such-function",
      "No function named '" + std::string(asked) + "'" + of_file + " has code in this program.",
      near.empty() ? "Name a function of the program, or file.c:line."
                   : "Near: " + join(near) + ".");
}

// `file`: where it must be written; absent: anywhere.
void Places::add_function_sites(Unit& unit, std::string_view name,
                                std::optional<std::uint32_t> file,
                                std::vector<LineSite>& sites) const {
  const std::string_view base = base_name(name);
  const auto is_meant = [&](Dwarf_Die die) {
    const char* own = die_name(die);
    return own != nullptr && base_name(own) == base &&
           matches_qualified(units_.qualified_name(die), name) &&
           (!file || declared_file(die) == units_.files().name(*file));
  };
  for (const Function& function : units_.code(unit).functions()) {
    if (is_meant(function.self().die))
      sites.push_back(site_at(unit, &function, body_of(image_, units_, unit, function)));
    for (const Scope& scope : function.scopes) {
      if (scope.kind != ScopeKind::kInlined || !is_meant(scope.die)) continue;
      LinkAddress pc = entry_of(scope);
      const LinkAddress body = body_of(image_, units_, unit, function);
      if (pc < body && contains(scope.ranges, body)) pc = body;
      sites.push_back(site_at(unit, &function, pc));
    }
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
