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
#include "probes/engines/inline/sites/function_exits.h"
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
  bool behind = false;                         // the probe runs behind the displaced instruction

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

// The same for this very address; of a return, also over the padding behind it.
[[nodiscard]] Result<ChosenSite> choose_exact_site(const TargetView& view, std::size_t image,
                                                   const symbols::LineSite& site,
                                                   std::span<const TakenBytes> taken, bool behind);

// One return of a function, or why it cannot be seen.
struct ChosenReturn {
  LinkAddress at;
  ChosenSite chosen;            // with a window, where it can be
  symbols::LineSite line;       // of the chosen address
  inline_sites::FrameAt frame;  // there
};

// How the calls of one out-of-line function are seen.
struct ChosenCalls {
  symbols::LineSite line;  // of the address that the entry is probed at
  ChosenSite entry;
  inline_sites::FrameAt frame;  // at the entry
  std::vector<ChosenReturn> returns;
  std::size_t tail_calls = 0;  // places where it jumps to another function, which returns for it
};

// `function` is the function's place, as DebugInfo::resolve gives it. Takes nothing where
// the entry is refused; what is chosen is added to `taken`, but no more than `most` sites.
[[nodiscard]] Result<ChosenCalls> choose_calls(const TargetView& view, std::size_t image,
                                               const symbols::LineSite& function,
                                               std::vector<TakenBytes>& taken, std::size_t most);

}  // namespace nohalt::engines
