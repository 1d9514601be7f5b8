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

// Where a source file is in the tree of the policy's source_root: relative to it, or as it
// is named where it is not shown to lie there. An empty path: unknown.
struct Place {
  std::string path;
  bool is_below_root = false;
  std::string whole;  // as it is named
};
[[nodiscard]] Place place_in_tree(std::string_view path, std::string_view source_root);

// Whether a rule that hides or denies is about a file of that place. One that is not shown
// to lie below source_root, as another machine may have built it or with a folder left out,
// is meant by the same folders and names at any depth: such a rule must not fail because the
// root is another. One that begins with `/` is about the whole path, and about one that is
// relative where its end may be meant.
[[nodiscard]] bool denies_place(std::string_view pattern, const Place& place);

// Whether a rule that allows is about it: as its place in the tree, or as the whole path.
[[nodiscard]] bool allows_place(std::string_view pattern, const Place& place);

}  // namespace nohalt::policy
