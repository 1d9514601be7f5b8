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

// Of names of types `*` stands for any characters. A name matches with or without the
// namespaces and classes in front of it, and whether it is const or volatile or not.
[[nodiscard]] bool type_matches(std::string_view pattern, std::string_view name);

// Absolute and relative paths without `.`, `..` and doubled slashes; one that
// leads out of where it begins is empty, as is an empty one.
[[nodiscard]] std::string normalised(std::string_view path);

// Whether a rule that hides or denies is about a file of that place in the tree. One from
// another folder than source_root, as another machine may have built it, is meant by the
// same folders and names at any depth: such a rule must not fail because the root is wrong.
[[nodiscard]] bool denies_place(std::string_view pattern, std::string_view place);

// Where a source file is in the tree of the policy's source_root: relative to
// it, or absolute where it lies elsewhere. Empty: unknown.
[[nodiscard]] std::string place_in_tree(std::string_view path, std::string_view source_root);

}  // namespace nohalt::policy
