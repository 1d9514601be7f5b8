// A YAML document as a plain tree, each node with its line and column. Only what a
// rule file needs: one document of maps, lists and texts. Anchors, aliases, tags
// and merge keys are refused, so that what is read is what is written, and no
// small file can unfold into a large one.
//
// Threading: pure function.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace nohalt::policy {

// Something wrong in a file, at a place in it (from 1; 0: of the whole file).
struct Mistake {
  int line = 0;
  int column = 0;
  std::string message;  // a sentence
  std::string hint;     // a sentence; may be empty

  friend bool operator==(const Mistake&, const Mistake&) = default;
};

void in_file_order(std::vector<Mistake>& mistakes);

struct Node {
  enum class Kind { kNull, kText, kList, kMap };
  Kind kind = Kind::kNull;
  int line = 1;
  int column = 1;
  std::string text;
  bool is_quoted = false;   // a text in quotes is never a number or truth value
  std::vector<Node> keys;   // of a map, one for each item
  std::vector<Node> items;  // of a list or map

  // The value of a map's key; null: it is not there.
  [[nodiscard]] const Node* find(std::string_view key) const;
};

inline constexpr std::size_t kLargestRuleFile = 256 * 1024;
inline constexpr std::size_t kMostNodes = 20'000;
inline constexpr std::size_t kDeepest = 16;

struct ParsedTree {
  Node root;
  std::vector<Mistake> mistakes;  // not empty: the root is not to be used
};
[[nodiscard]] ParsedTree parse_tree(std::string_view yaml);

}  // namespace nohalt::policy
