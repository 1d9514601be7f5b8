#include "tests/unit/symbols/programs.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace nohalt::symbols {

namespace {

struct Scratch {
  std::string path = std::filesystem::temp_directory_path() / "symbols-test-XXXXXX";
  Scratch() {
    if (mkdtemp(path.data()) == nullptr) path.clear();
  }
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
};

}  // namespace

const std::string& scratch_folder() {
  static const Scratch scratch;
  return scratch.path;
}

bool shell(const std::string& command) { return std::system(command.c_str()) == 0; }

std::string compiled(const std::string& name, const std::string& source, const Build& build) {
  const std::size_t key = std::hash<std::string>{}(name + source + build.compiler + build.flags);
  const std::string folder = scratch_folder() + "/" + std::to_string(key);
  const std::string program = folder + "/program";
  if (std::filesystem::exists(program)) return program;
  std::filesystem::create_directories(folder);
  std::ofstream(folder + "/" + name) << source;
  EXPECT_TRUE(shell("cd " + folder + " && timeout 60 " + build.compiler + " " + build.flags + " " +
                    name + " -o program"));
  return program;
}

std::unique_ptr<DebugInfo> opened(const std::string& name, const std::string& source,
                                  const Build& build) {
  const std::string program = compiled(name, source, build);
  Result<std::unique_ptr<DebugInfo>> info = DebugInfo::open(program, name, {});
  EXPECT_TRUE(info.has_value()) << (info ? "" : info.error().message);
  return info ? std::move(*info) : nullptr;
}

std::vector<LineSite> sites_of(const DebugInfo& info, std::string_view location) {
  const Result<ResolvedPlace> place = info.resolve(location);
  EXPECT_TRUE(place.has_value()) << location;
  return place ? place->sites : std::vector<LineSite>(1);
}

const Variable* named(const std::vector<Variable>& variables, std::string_view name) {
  for (const Variable& variable : variables)
    if (variable.name == name) return &variable;
  return nullptr;
}

}  // namespace nohalt::symbols
