#include "src/session/modules.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "probes/engines/inline/line_copies.h"
#include "probes/runtime/layout.h"
#include "probes/target/maps.h"

namespace nohalt::session {

namespace {

constexpr std::size_t kMostNamed = 8;  // in a hint
// Each has a function to decode, variables to find and a program to build.
constexpr std::size_t kMostPlaces = 1000;

std::string_view base_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

// As the whole name of its file, or without what follows the library's own:
// libprice.so.1 and libprice.
bool is_named(const Module& module, std::string_view name) {
  const std::string_view base = base_name(module.path);
  return base == name || base.substr(0, base.find(".so")) == name;
}

struct Asked {
  std::string_view module;  // empty: any
  std::string_view place;
};

// An operator's name may hold the sign too, but no file's name is before it.
Asked split(std::string_view location, const std::vector<Module>& modules) {
  const std::size_t sign = location.find('!');
  if (sign == std::string_view::npos) return {{}, location};
  const std::string_view name = location.substr(0, sign);
  const bool is_module =
      name.find(".so") != std::string_view::npos ||
      std::ranges::any_of(modules, [&](const Module& each) { return is_named(each, name); });
  return is_module ? Asked{name, location.substr(sign + 1)} : Asked{{}, location};
}

std::unexpected<Error> no_such_library(std::string_view name, const std::vector<Module>& modules) {
  std::string known;
  for (std::size_t i = 0; i < std::min(modules.size(), kMostNamed); ++i)
    known += (i == 0 ? "" : ", ") + std::string(base_name(modules[i].path));
  return fail(
      ErrorCode::kUsage, "no-such-library",
      "No file of the process that has debug information is called '" + std::string(name) + "'.",
      "These are: " + known + ".");
}

// One that says more than that there is nothing of the name. That a library's debug
// information is damaged matters to who asks for that library.
bool says_more(const Error& error) {
  return error.reason != "no-such-file" && error.reason != "no-such-function" &&
         error.reason != "malformed-dwarf";
}

bool is_line(std::string_view place) {
  const std::size_t colon = place.rfind(':');
  return colon != std::string_view::npos && colon + 1 < place.size() &&
         place.find_first_not_of("0123456789", colon + 1) == std::string_view::npos;
}

Status check_one_file(std::string_view place, const std::vector<ModuleSite>& sites) {
  std::set<std::string> files;
  for (const ModuleSite& site : sites) files.insert(site.line.file);
  if (!is_line(place) || files.size() < 2) return {};
  std::string names;
  for (const std::string& file : files) names += (names.empty() ? "" : ", ") + file;
  return fail(ErrorCode::kUsage, "ambiguous-file",
              "'" + std::string(place) + "' stands for " + std::to_string(files.size()) +
                  " files, in different modules.",
              "Name one with more of its path, or its module before it (libname.so!file:line): " +
                  names + ".");
}

PlaceGap missed_code(std::size_t count, std::string_view what) {
  const bool is_one = count == 1;
  return {
      "copies-not-probed",
      fmt::format("{} more stretch{} of code belong{} to this {} and {} not probed: a hit may be "
                  "missed.",
                  count, is_one ? "" : "es", is_one ? "s" : "", what, is_one ? "is" : "are"),
      "They may be copies of it or parts of it, which cannot be told apart; a neighbouring line "
      "may be in one place only."};
}

std::unexpected<Error> too_many_places(std::string_view location, std::size_t count) {
  return fail(ErrorCode::kRefused, "too-many-places",
              fmt::format("{} stands for {} places in the code; a run has at most {} sites, and no "
                          "more than {} places are looked at.",
                          location, count, runtime::kMaxProbes, kMostPlaces),
              "Name a function that calls it, or a line in a source that is in fewer places.");
}

PlaceGap missing_files(const std::vector<std::string>& files) {
  const std::size_t more = files.size() - 1;
  return {
      "no-split-debug-file",
      fmt::format("What the debug information says of some of the code is in files that are not "
                  "there or not of this build ({}{}): the function may be there too, or be "
                  "inlined there, and a hit there is missed.",
                  files.front(), more == 0 ? "" : fmt::format(" and {} more", more)),
      "Put the .dwo files where the compiler made them; packages of them (.dwp) are not read."};
}

// The copies that the compiler made of a line in one block become sites of their own.
void add_copies(const symbols::DebugInfo& info, std::string_view asked,
                symbols::ResolvedPlace& place, FoundPlaces& found) {
  std::size_t missed = 0;
  std::vector<symbols::LineSite> more;
  for (const symbols::LineRepeats& repeats : place.repeats) {
    engines::LineCopies copies = engines::copies_of(info, repeats);
    std::ranges::move(copies.sites, std::back_inserter(more));
    missed += copies.left_out.size();
  }
  // What could be probed without them still can.
  if (place.sites.size() + more.size() > runtime::kMaxProbes)
    missed += more.size();
  else
    std::ranges::move(more, std::back_inserter(place.sites));
  std::ranges::stable_sort(place.sites, {}, &symbols::LineSite::pc);
  place.sites.erase(std::ranges::unique(place.sites, {}, &symbols::LineSite::pc).begin(),
                    place.sites.end());
  if (missed > 0) found.gaps.push_back(missed_code(missed, is_line(asked) ? "line" : "function"));
}

}  // namespace

Result<Modules> Modules::open(const target::Process& process, const symbols::DebugInfo& program,
                              std::string path, const std::vector<std::string>& debug_dirs) {
  NOHALT_TRY(const target::Maps maps, target::read_maps(process.pid()));
  Modules modules;
  modules.images_ = std::make_shared<const stacks::UnwindImages>(
      maps, stacks::ImageOptions{.process_folder = "/proc/" + std::to_string(process.pid()),
                                 .debug_dirs = debug_dirs,
                                 .known = &program});
  modules.all_.push_back({std::move(path), {&program, std::nullopt}, {}});
  for (const stacks::CodePlace& place : modules.images_->files()) {
    const symbols::DebugInfo* info = modules.images_->debug_info(place);
    if (info == nullptr || info == &program || place.image->name() == modules.all_.front().path)
      continue;
    modules.all_.push_back({place.image->name(), {info, place.bias}, {}});
  }
  return modules;
}

std::vector<engines::ProbedFile> Modules::files() const {
  std::vector<engines::ProbedFile> files;
  for (const Module& module : all_) files.push_back(module.file);
  return files;
}

Result<FoundPlaces> Modules::resolve(std::string_view location) const {
  const Asked asked = split(location, all_);
  FoundPlaces found;
  std::vector<ModuleSite>& sites = found.sites;
  std::optional<Error> error;
  for (std::size_t i = 0; i < all_.size(); ++i) {
    if (!asked.module.empty() && !is_named(all_[i], asked.module)) continue;
    auto place = all_[i].info().resolve(asked.place);
    if (!place && place.error().reason == "no-shared-debug-file")
      found.gaps.push_back({place.error().reason,
                            fmt::format("{}: {} What is in that file of the process is missed.",
                                        base_name(all_[i].path), place.error().message),
                            place.error().hint});
    if (!place) {
      if (!error || (says_more(place.error()) && !says_more(*error)))
        error = std::move(place.error());
      continue;
    }
    if (const std::size_t count = sites.size() + place->sites.size(); count > kMostPlaces)
      return too_many_places(location, count);
    add_copies(all_[i].info(), asked.place, *place, found);
    if (!place->missing_files.empty()) found.gaps.push_back(missing_files(place->missing_files));
    for (symbols::LineSite& line : place->sites) sites.push_back({i, std::move(line)});
  }
  if (sites.empty() && !error) return no_such_library(asked.module, all_);
  if (sites.empty()) return std::unexpected(std::move(*error));
  NOHALT_CHECK(check_one_file(asked.place, sites));
  return found;
}

}  // namespace nohalt::session
