// Where nohalt keeps its state, and making that place for its owner alone.
// Errors are of kind kDenied, reason audit-unwritable.
#pragma once

#include <string>

#include "src/base/result.h"

namespace nohalt::policy {

// $XDG_STATE_HOME/nohalt, or ~/.local/state/nohalt.
[[nodiscard]] Result<std::string> user_state_folder();

[[nodiscard]] std::string folder_of(const std::string& path);

// Makes the folder and those above it that are missing (0700).
[[nodiscard]] Status make_folder(const std::string& folder);

}  // namespace nohalt::policy
