// The words of the command line, sorted by CLI11 but not yet understood: which
// command, which options with which texts, what is left over.
// Threading: plain values.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/result.h"

namespace nohalt::cli {

struct Words {
  std::string command;                                      // empty: none was given
  std::map<std::string, std::vector<std::string>> options;  // by long name, "pid" for -p
  std::vector<std::string> arguments;                       // of the command, in order

  [[nodiscard]] bool has(const std::string& option) const { return options.contains(option); }
  // The only text of an option; empty where it was not given.
  [[nodiscard]] std::string text(const std::string& option) const;
};

// Sorts the words and refuses what no command knows: misspelt options and
// commands, an option that the command does not take, one given twice or
// without its value, too many arguments.
[[nodiscard]] Result<Words> sort_words(const std::vector<std::string>& words);

}  // namespace nohalt::cli
