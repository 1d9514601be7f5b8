// Patterns for paths and names, as a policy file writes them:
//
//   ?    any character but the separator
//   *    any run of characters without a separator
//   **   any run of characters; **/ may also stand for nothing
//
// All other characters stand for themselves. A pattern matches the whole text.
// The separator is `/` in paths and `::` in names of functions.
//
// Threading: pure functions.
#pragma once

#include <string>
#include <string_view>

namespace nohalt::policy {

[[nodiscard]] bool path_matches(std::string_view pattern, std::string_view path);
[[nodiscard]] bool function_matches(std::string_view pattern, std::string_view function);

// Absolute and relative paths without `.`, `..` and doubled slashes; one that
// leads out of where it begins is empty, as is an empty one.
[[nodiscard]] std::string normalised(std::string_view path);

// Where a source file is in the tree of the policy's source_root: relative to
// it, or absolute where it lies elsewhere. Empty: unknown.
[[nodiscard]] std::string place_in_tree(std::string_view path, std::string_view source_root);

}  // namespace nohalt::policy
