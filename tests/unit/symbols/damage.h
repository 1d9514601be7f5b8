// Programs whose debug information was damaged: bytes in the debug, frame and header
// sections are changed by a seeded generator, and each variant is read in a child process
// of its own, under an alarm and a limit of memory.
#pragma once

#include <functional>
#include <string>

#include "tests/unit/symbols/programs.h"

namespace nohalt::symbols {

// What is done with the program at a path. How it goes does not matter, as long as it ends.
using UseProgram = std::function<void(const std::string& path)>;

// The child's wait status after using a program of these bytes.
[[nodiscard]] int use_in_child(const std::string& bytes, const UseProgram& use);
// NOHALT_DAMAGE_VARIANTS says how many variants, `variants` where it is not set. Fails the
// test at the first that does not end well.
void damage_and_use(const std::string& name, const std::string& source, const Build& build,
                    unsigned variants, const UseProgram& use);

}  // namespace nohalt::symbols
