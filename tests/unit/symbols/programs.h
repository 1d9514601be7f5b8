// Tiny programs for the tests, compiled when they are first asked for and kept
// for the run of the test program.
#pragma once

#include <memory>
#include <string>

#include "probes/symbols/debug_info.h"

namespace nohalt::symbols {

struct Build {
  std::string compiler = "gcc";  // gcc, g++, clang-19, clang++-19
  std::string flags = "-O0 -gdwarf-5 -fPIE -pie";
};

// The path of the program; the source is written as `name` (a.c, b.cpp).
[[nodiscard]] std::string compiled(const std::string& name, const std::string& source,
                                   const Build& build);
// The same, opened; fails the test where it cannot be.
[[nodiscard]] std::unique_ptr<DebugInfo> opened(const std::string& name, const std::string& source,
                                                const Build& build);
// A folder for this run's files.
[[nodiscard]] const std::string& scratch_folder();
// Runs a shell command; true where it ended with 0.
[[nodiscard]] bool shell(const std::string& command);

// The places of a location; none, and the test fails, where it has no place.
[[nodiscard]] std::vector<LineSite> sites_of(const DebugInfo& info, std::string_view location);

// The variable of that name in `variables`, or null.
[[nodiscard]] const Variable* named(const std::vector<Variable>& variables, std::string_view name);

}  // namespace nohalt::symbols
