// What a rule file may hold, described once: the check of a file against it finds
// all mistakes, and the JSON Schema that editors read is written from it. So the
// two cannot say different things.
//
// Shapes are made once and live as long as the program. Threading: immutable.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "policy/file/tree.h"
#include "src/base/result.h"

namespace nohalt::policy {

struct Shape;

struct Key {
  std::string_view name;
  const Shape* shape = nullptr;
  bool is_required = false;
  std::string_view about;  // for the person who writes the file
};

struct Shape {
  enum class Kind { kMap, kList, kText, kNumber, kTruth, kTextOrNumber, kTextOrMap };
  Kind kind = Kind::kText;

  // kMap (and kTextOrMap).
  std::vector<Key> keys;
  std::vector<std::string_view> at_least_one;  // of these keys must be there; empty: none need

  // kList: not empty.
  const Shape* item = nullptr;

  // Texts. `check` may ask for more than the pattern, but takes nothing that it refuses.
  std::vector<std::string_view> words;  // one of these; empty: any
  std::string_view pattern;             // RE2 and ECMA 262 alike, anchored; empty: any
  std::string_view expected;            // what a text that fails should have been, a sentence
  Status (*check)(std::string_view) = nullptr;

  // Numbers: whole ones.
  std::uint64_t least = 0;
  std::uint64_t most = 0;
};

// The kinds, by what they are made of.
[[nodiscard]] Shape text_shape(std::string_view pattern, std::string_view expected,
                               Status (*check)(std::string_view) = nullptr);
[[nodiscard]] Shape word_shape(std::vector<std::string_view> words);
[[nodiscard]] Shape number_shape(std::uint64_t least, std::uint64_t most);
[[nodiscard]] Shape truth_shape();
[[nodiscard]] Shape list_shape(const Shape* item);
[[nodiscard]] Shape map_shape(std::vector<Key> keys,
                              std::vector<std::string_view> at_least_one = {});

// All that is wrong with the tree, in file order.
[[nodiscard]] std::vector<Mistake> check_shape(const Node& root, const Shape& shape);

// What a text without quotes is to YAML's core schema.
enum class PlainKind { kText, kNumber, kTruth, kNull };
[[nodiscard]] PlainKind plain_kind(const Node& node);

// Draft 2020-12, indented, with a newline at its end.
[[nodiscard]] std::string json_schema(const Shape& shape, std::string_view title,
                                      std::string_view about);

}  // namespace nohalt::policy
