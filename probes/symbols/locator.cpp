#include "probes/symbols/locator.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <set>
#include <vector>

#include "probes/symbols/name_index.h"
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

std::string_view file_of(std::string_view path) { return path.substr(path.rfind('/') + 1); }

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

// Function names that look like this one.
std::vector<std::string> similar_names(const NameTable& functions, std::string_view name) {
  constexpr std::size_t kMost = 5;
  constexpr std::size_t kLongest = 200;
  std::vector<std::pair<std::size_t, std::string>> close;
  const std::size_t allowed = std::max<std::size_t>(2, name.size() / 3);
  for (std::size_t i = 0; i < functions.size(); ++i) {
    const std::string_view known = functions.name(i);
    const std::size_t longer = std::max(known.size(), name.size());
    if (known.size() > kLongest || longer - std::min(known.size(), name.size()) > allowed) continue;
    const std::size_t distance = edit_distance(known, name);
    if (distance <= allowed) close.emplace_back(distance, known);
  }
  std::ranges::sort(close);
  std::vector<std::string> names;
  for (const auto& [distance, known] : close)
    if (names.size() < kMost) names.push_back(known);
  return names;
}

std::unexpected<Error> no_such_function(std::string_view asked, const NameTable& functions,
                                        const std::optional<std::string>& file,
                                        const std::vector<std::string>& missing) {
  const std::string of_file =
      file ? " of " + escape_untrusted(std::string(file_of(*file))).text : "";
  const std::vector<std::string> near =
      similar_names(functions, base_name(without_parameters(asked)));
  if (!missing.empty()) {
    return fail(ErrorCode::kUsage, "no-split-debug-file",
                "No function named '" + std::string(asked) + "'" + of_file +
                    " is known; what the debug information says of some of the code is in files "
                    "that are not there or not of this build, such as " +
                    escape_untrusted(missing.front()).text + ".",
                std::string(kMissingPartHint));
  }
  return fail(
      ErrorCode::kUsage, "no-such-function",
      "No function named '" + std::string(asked) + "'" + of_file + " has code in this program.",
      near.empty() ? "Name a function of the program, or file.c:line."
                   : "Near: " + join(near) + ".");
}

constexpr std::string_view kUnfit = "unfit-index";

}  // namespace

// A kept table that cannot be of this file is made anew from it.
Result<ResolvedPlace> Locator::resolve(std::string_view location) const {
  Result<ResolvedPlace> place = resolve_once(location);
  if (place || place.error().reason != kUnfit) return place;
  tables_.forget();
  return resolve_once(location);
}

Result<ResolvedPlace> Locator::resolve_once(std::string_view location) const {
  const std::size_t colon = line_colon(location);
  if (colon == std::string_view::npos) {
    if (location.empty() || location.ends_with(':')) return malformed(location);
    return resolve_function(location, std::nullopt);
  }
  const std::string_view digits = location.substr(colon + 1);
  if (colon > 0 && may_be_a_name(digits)) {
    NOHALT_TRY(const std::string file, find_file(location.substr(0, colon)));
    return resolve_function(digits, file);
  }
  std::uint32_t line = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), line);
  if (error != std::errc{} || end != digits.data() + digits.size() || line == 0 || colon == 0)
    return malformed(location);
  return resolve_line(location.substr(0, colon), line);
}

Result<std::string> Locator::find_file(std::string_view asked) const {
  const std::string normal = std::filesystem::path(asked).lexically_normal().string();
  NOHALT_TRY(const NameTable* sources, tables_.sources());
  if (!sources->find(normal).empty()) return normal;
  std::vector<std::string> found;
  std::vector<std::string> near;
  for (std::size_t i = 0; i < sources->size(); ++i) {
    const std::string name(sources->name(i));
    if (matches_path(name, normal)) found.push_back(name);
    if (near.size() < kMaxCandidates && edit_distance(file_of(name), file_of(normal)) <= 2)
      near.push_back(name);
  }
  if (found.size() == 1) return found.front();
  if (found.empty()) {
    return fail(ErrorCode::kUsage, "no-such-file",
                "No code of this program comes from a file named '" + normal + "'.",
                near.empty() ? "Name a source file of the program." : "Near: " + join(near) + ".");
  }
  const std::size_t count = found.size();
  if (count > kMaxCandidates) found.resize(kMaxCandidates);
  return fail(ErrorCode::kUsage, "ambiguous-file",
              "'" + normal + "' stands for " + std::to_string(count) + " files.",
              "Name one with more of its path: " + join(found) + ".");
}

Result<ResolvedPlace> Locator::resolve_line(std::string_view asked, std::uint32_t line) const {
  NOHALT_TRY(const std::string file, find_file(asked));
  NOHALT_TRY(const NameTable* sources, tables_.sources());
  NOHALT_TRY(const Places* places, this->places(*sources));
  return places->on_line(file, line, sources->find(file));
}

Result<ResolvedPlace> Locator::resolve_function(std::string_view asked,
                                                const std::optional<std::string>& file) const {
  const std::string_view name = without_parameters(asked);
  NOHALT_TRY(const NameTable* functions, tables_.functions());
  const auto units = functions->find(base_name(name));
  if (units.empty() && tables_.is_whole()) return no_such_function(asked, *functions, file, {});
  NOHALT_TRY(const Places* places, this->places(*functions));
  ResolvedPlace place = places->of_function(name, file, units);
  place.missing_files = places->missing_files();
  if (place.sites.empty()) return no_such_function(asked, *functions, file, place.missing_files);
  return place;
}

Result<const Places*> Locator::places(const NameTable& table) const {
  NOHALT_TRY(const Places* places, places_());
  if (places->unit_count() != table.unit_count())
    return fail(ErrorCode::kInternal, std::string(kUnfit), "The index is of another file.");
  return places;
}

}  // namespace nohalt::symbols
