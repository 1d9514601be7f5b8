// Optimal string alignment distance (Levenshtein's with neighbours swapped, as
// Damerau 1964 counted typing errors), over words of a few letters.
#include "src/base/suggest.h"

#include <algorithm>
#include <vector>

namespace nohalt {

namespace {

std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> edits(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) edits[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) edits[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = edits[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      edits[i][j] = std::min({edits[i - 1][j] + 1, edits[i][j - 1] + 1, replaced});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) edits[i][j] = std::min(edits[i][j], edits[i - 2][j - 2] + 1);
    }
  }
  return edits[a.size()][b.size()];
}

}  // namespace

std::string_view nearest(std::string_view written, std::span<const std::string_view> candidates) {
  constexpr std::size_t kLongestName = 64;
  if (written.empty() || written.size() > kLongestName) return {};
  std::string_view best;
  std::size_t least = std::max<std::size_t>(1, std::min<std::size_t>(2, written.size() / 2)) + 1;
  for (const std::string_view candidate : candidates) {
    const bool begun = written.size() >= 4 && candidate.starts_with(written);
    const std::size_t edits = begun ? 1 : distance(written, candidate);
    if (edits < least) least = edits, best = candidate;
  }
  return best;
}

}  // namespace nohalt
