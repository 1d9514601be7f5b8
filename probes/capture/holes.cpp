#include "probes/capture/holes.h"

#include <algorithm>

namespace nohalt::capture {

std::vector<Hole> gaps_between(const std::vector<Hole>& holes, std::uint64_t size) {
  std::vector<Hole> parts;
  std::uint64_t at = 0;
  for (const Hole& hole : holes) {
    if (hole.begin >= size) break;
    if (at < hole.begin) parts.push_back({at, hole.begin, {}});
    at = std::max(at, hole.end);
  }
  if (at < size) parts.push_back({at, size, {}});
  return parts;
}

void tidy(std::vector<Hole>& holes) {
  std::sort(holes.begin(), holes.end(),
            [](const Hole& a, const Hole& b) { return a.begin < b.begin; });
  std::vector<Hole> joined;
  for (Hole& hole : holes) {
    // What is redacted stays so, whatever else its bytes are.
    const bool touches = !joined.empty() && hole.begin < joined.back().end;
    const bool alike = !joined.empty() && joined.back().end == hole.begin &&
                       joined.back().why.state == hole.why.state &&
                       joined.back().why.text == hole.why.text;
    if (touches || alike) {
      joined.back().end = std::max(joined.back().end, hole.end);
      if (!hole.path.empty() && joined.back().path != hole.path)
        joined.back().path += (joined.back().path.empty() ? "" : ", ") + hole.path;
      if (hole.why.state == ValueState::kRedacted) joined.back().why = hole.why;
    } else {
      joined.push_back(std::move(hole));
    }
  }
  holes = std::move(joined);
}

}  // namespace nohalt::capture
