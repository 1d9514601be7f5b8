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

// The bytes of a site that was chosen, in this file of the view.
struct TakenBytes {
  std::size_t image = 0;
  inline_sites::ProbeBytes bytes;
};

struct ChosenSite {
  SitePlan plan;
  std::optional<inline_sites::Window> window;  // absent where refused
  std::size_t image = 0;                       // of the view, which it lies in
  LoadBias bias;                               // of that image

  // Where the jump goes, and where control goes on behind what was displaced.
  [[nodiscard]] RuntimeAddress patched() const { return bias.to_runtime(window->address); }
  [[nodiscard]] RuntimeAddress resume() const { return bias.to_runtime(window->resume()); }
  [[nodiscard]] TakenBytes taken() const { return {image, window->probe_bytes()}; }
};

// For a place in this file of the view. `taken` are the sites chosen before, in this run.
// Where only a window that needs a stop is left and `stops` forbids it, the refusal is
// "needs-stop", and the plan still tells how long the stop would be; so it is with
// "may-be-unloaded", any place of a library that may be.
[[nodiscard]] Result<ChosenSite> choose_site(const TargetView& view, std::size_t image,
                                             const symbols::LineSite& site,
                                             std::span<const TakenBytes> taken,
                                             StopRule stops = StopRule::kNever);

}  // namespace nohalt::engines
