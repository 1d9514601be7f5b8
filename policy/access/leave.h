// What was found to be allowed, as what comes after goes by it: which declarations
// and frames may be seen, and which rights there are. Where two policies are in
// force, both must let it.
//
// Threading: immutable once made.
#pragma once

#include <cstdint>
#include <vector>

#include "policy/access/verdict.h"

namespace nohalt::policy {

class Leave {
 public:
  [[nodiscard]] bool hides(const SourceUse& use) const;
  // Under the built-in policy: all but raw.
  [[nodiscard]] bool may(Right right) const;
  [[nodiscard]] bool has_source_rules() const;
  // The largest record of one hit.
  [[nodiscard]] std::uint64_t snapshot_bytes() const;
  // The most probes of one run.
  [[nodiscard]] std::uint32_t probes() const;

 private:
  friend class Authority;
  Leave() = default;

  struct Part {
    SourceFilter filter;
    std::vector<Right> may;
    std::uint64_t snapshot_bytes = 0;
    std::uint32_t probes = 0;
  };
  std::vector<Part> parts_;  // one for each policy file; none: the built-in policy
};

}  // namespace nohalt::policy
