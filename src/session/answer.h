// Writing the whole answer of a command that looks and ends (ps, doctor).
#pragma once

#include <string>

#include "src/session/commands.h"

namespace nohalt::session {

// To stdout or -o FILE; gives the exit status. Problems are told on stderr.
[[nodiscard]] int write_answer(const CommonOptions& common, const std::string& text);

}  // namespace nohalt::session
