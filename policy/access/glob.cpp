// Matching keeps the set of positions in the text that the pattern so far may
// end at, as a simulated automaton does (Thompson 1968): time is the product of
// both lengths whatever the pattern, so that a hostile one costs nothing.
#include "policy/access/glob.h"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace nohalt::policy {

namespace {

using Ends = std::vector<char>;  // by position: the pattern so far may end there

// Each end also stands for all later ones up to the next separator, or to the end.
void run_on(Ends& ends, std::string_view text, bool over_separators, char separator) {
  for (std::size_t i = 0; i < text.size(); ++i)
    if (ends[i] != 0 && (over_separators || text[i] != separator)) ends[i + 1] = 1;
}

// One character further, where `fits` the character.
template <class Fits>
void step(Ends& ends, std::string_view text, Fits fits) {
  Ends next(ends.size(), 0);
  for (std::size_t i = 0; i < text.size(); ++i)
    if (ends[i] != 0 && fits(text[i])) next[i + 1] = 1;
  ends = std::move(next);
}

bool matches(std::string_view pattern, std::string_view text, char separator) {
  Ends ends(text.size() + 1, 0);
  ends[0] = 1;
  for (std::size_t at = 0; at < pattern.size();) {
    const char c = pattern[at++];
    if (c == '*') {
      const bool twice = at < pattern.size() && pattern[at] == '*';
      while (at < pattern.size() && pattern[at] == '*') ++at;
      const bool whole_parts = twice && at < pattern.size() && pattern[at] == separator;
      const Ends nothing = ends;
      run_on(ends, text, twice, separator);
      if (!whole_parts) continue;
      ++at;
      step(ends, text, [&](char found) { return found == separator; });
      for (std::size_t i = 0; i < ends.size(); ++i)
        if (nothing[i] != 0) ends[i] = 1;
      continue;
    }
    step(ends, text, [&](char found) { return c == '?' ? found != separator : found == c; });
  }
  return ends[text.size()] != 0;
}

constexpr char kNameSeparator = '\x1f';  // no name holds it

// How many characters of an operator's own name stand at the front.
std::size_t operator_length(std::string_view text) {
  for (const std::string_view name :
       {"<=>", "<<=", ">>=", "->*", "()", "->", "<<", ">>", "<=", ">=", "<", ">"})
    if (text.starts_with(name)) return name.size();
  return 0;
}

// Each `::` between the parts of a name as one character; those within template
// arguments stay, so that `a::*` matches `a::get<std::string>`.
std::string with_one_separator(std::string_view name) {
  std::string out;
  int depth = 0;
  for (std::size_t i = 0; i < name.size();) {
    std::size_t taken = 1;
    if (name.substr(i).starts_with("operator")) {
      taken = 8 + operator_length(name.substr(i + 8));
    } else if (depth == 0 && name.substr(i, 2) == "::") {
      out += kNameSeparator;
      i += 2;
      continue;
    } else if (name[i] == '<' || name[i] == '(') {
      ++depth;
    } else if (depth > 0 && (name[i] == '>' || name[i] == ')')) {
      --depth;
    }
    out += name.substr(i, taken);
    i += taken;
  }
  return out;
}

}  // namespace

bool path_matches(std::string_view pattern, std::string_view path) {
  return matches(pattern, path, '/');
}

bool function_matches(std::string_view pattern, std::string_view function) {
  return matches(with_one_separator(pattern), with_one_separator(function), kNameSeparator);
}

bool type_matches(std::string_view pattern, std::string_view name) {
  for (const std::string_view word : {"const ", "volatile ", "const "})
    if (name.starts_with(word)) name.remove_prefix(word.size());
  if (matches(pattern, name, kNameSeparator)) return true;
  int depth = 0;
  for (std::size_t i = 0; i + 1 < name.size(); ++i) {
    if (name[i] == '<' || name[i] == '(') ++depth;
    if (name[i] == '>' || name[i] == ')') --depth;
    const bool is_inside = depth == 0 && name.substr(i).starts_with("::");
    if (is_inside && matches(pattern, name.substr(i + 2), kNameSeparator)) return true;
  }
  return false;
}

std::string normalised(std::string_view path) {
  const bool absolute = path.starts_with('/');
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
    if (part.empty() || part == ".") continue;
    if (part != "..") {
      parts.push_back(part);
    } else if (!parts.empty()) {
      parts.pop_back();
    } else if (!absolute) {
      return {};
    }
  }
  std::string out;
  for (const std::string_view part : parts) {
    if (absolute || !out.empty()) out += '/';
    out += part;
  }
  return out.empty() && absolute ? "/" : out;
}

Place place_in_tree(std::string_view path, std::string_view source_root) {
  std::string whole = normalised(path);
  const std::string root = normalised(source_root);
  if (root.empty() || root == "/" || !whole.starts_with(root)) return {whole, false, whole};
  if (whole.size() <= root.size() || whole[root.size()] != '/') return {whole, false, whole};
  // Below a relative root lies whatever begins with its name, wherever that is.
  return {whole.substr(root.size() + 1), root.starts_with('/'), whole};
}

namespace {

bool names_something(std::string_view pattern) {
  while (!pattern.empty()) {
    const std::string_view part = pattern.substr(0, pattern.find('/'));
    if (!part.empty() && part.find_first_of("*?[") == part.npos) return true;
    pattern.remove_prefix(std::min(part.size() + 1, pattern.size()));
  }
  return false;
}

// Where a relative path begins is not known, so any end of an absolute pattern may be meant
// that still names a folder or file.
bool an_end_matches(std::string_view pattern, std::string_view path) {
  while (pattern.starts_with('/')) {
    pattern.remove_prefix(1);
    if (names_something(pattern) && path_matches(pattern, path)) return true;
    pattern.remove_prefix(std::min(pattern.find('/'), pattern.size()));
  }
  return false;
}

}  // namespace

bool allows_place(std::string_view pattern, const Place& place) {
  return path_matches(pattern, pattern.starts_with('/') ? place.whole : place.path);
}

bool denies_place(std::string_view pattern, const Place& place) {
  if (pattern.starts_with('/')) {
    const bool is_absolute = place.whole.starts_with('/');
    return is_absolute ? path_matches(pattern, place.whole) : an_end_matches(pattern, place.whole);
  }
  const bool at_any_depth = !place.is_below_root;
  return path_matches(at_any_depth ? "**/" + std::string(pattern) : pattern, place.path);
}

}  // namespace nohalt::policy
