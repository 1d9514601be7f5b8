// Counts what could be probed and how, over many places: the shares by window
// kind and the refusals by reason.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>

#include "probes/engines/inline/sites/window.h"

namespace nohalt::inline_sites {

class SiteCensus {
 public:
  // Judges one place and counts it; the judgement is handed back.
  std::expected<Window, SiteRefusal> add(const FunctionCode& code, LinkAddress pc,
                                         const SiteContext& context);

  [[nodiscard]] std::uint64_t total() const { return total_; }
  [[nodiscard]] std::uint64_t count(WindowKind kind) const {
    return kinds_[static_cast<std::size_t>(kind)];
  }
  [[nodiscard]] std::uint64_t count(SiteRefusal refusal) const;
  // Places whose window needs nobody stopped.
  [[nodiscard]] std::uint64_t without_stop() const;
  // A small table, one line a kind and a refusal, most frequent refusal first.
  [[nodiscard]] std::string report() const;

 private:
  std::uint64_t total_ = 0;
  std::array<std::uint64_t, 4> kinds_{};
  std::map<SiteRefusal, std::uint64_t> refusals_;
};

}  // namespace nohalt::inline_sites
