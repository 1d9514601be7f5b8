// Decides, without touching the target, how each site would be patched.
//
// The verdict is made anew while arming, under the target's lock, from a fresh
// view: a plan is a prediction, never a permission.
// Threading: pure but for reading the executable's bytes.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "probes/engines/inline/inline_engine.h"
#include "probes/engines/inline/sites/window.h"
#include "probes/engines/inline/target_view.h"

namespace nohalt::engines {

// A springboard is the jump that a punned site lands on. It may be as far from
// the main code as two jumps reach, so it has room for a jump through a literal.
inline constexpr std::uint64_t kSpringboardSize = 14;

// Whether there is a free place for the springboard of such a jump at `at`.
[[nodiscard]] bool has_springboard_room(const TargetView& view, const inline_sites::JumpForm& form,
                                        RuntimeAddress at);

struct ChosenSite {
  SitePlan plan;
  std::optional<inline_sites::Window> window;  // absent where refused
};

// `taken` are the bytes of sites chosen before, in this run.
[[nodiscard]] Result<ChosenSite> choose_site(const TargetView& view, const symbols::DebugInfo& info,
                                             const symbols::LineSite& site,
                                             std::span<const inline_sites::ProbeBytes> taken);

}  // namespace nohalt::engines
