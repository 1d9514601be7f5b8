#include "src/session/modules.h"

#include <algorithm>
#include <set>
#include <utility>

#include "probes/target/maps.h"

namespace nohalt::session {

namespace {

constexpr std::size_t kMostNamed = 8;  // in a hint

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

Result<std::vector<ModuleSite>> Modules::resolve(std::string_view location) const {
  const Asked asked = split(location, all_);
  std::vector<ModuleSite> sites;
  std::optional<Error> error;
  for (std::size_t i = 0; i < all_.size(); ++i) {
    if (!asked.module.empty() && !is_named(all_[i], asked.module)) continue;
    auto place = all_[i].info().resolve(asked.place);
    if (!place) {
      if (!error || (says_more(place.error()) && !says_more(*error)))
        error = std::move(place.error());
      continue;
    }
    for (symbols::LineSite& line : place->sites) sites.push_back({i, std::move(line)});
  }
  if (sites.empty() && !error) return no_such_library(asked.module, all_);
  if (sites.empty()) return std::unexpected(std::move(*error));
  NOHALT_CHECK(check_one_file(asked.place, sites));
  return sites;
}

}  // namespace nohalt::session
