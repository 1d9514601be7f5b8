// What --help says, for a person who has a misbehaving service and no time.
// Threading: pure functions.
#pragma once

#include <string>
#include <string_view>

namespace nohalt::cli {

// Every command on one screen.
[[nodiscard]] std::string general_help();

// One command: what it does, an example that can be pasted, its options.
// Empty where there is no such command.
[[nodiscard]] std::string command_help(std::string_view command);

}  // namespace nohalt::cli
