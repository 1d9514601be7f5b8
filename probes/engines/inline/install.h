// Puts a run into a target: control region, gate page and code, then the pages.
#pragma once

#include <chrono>
#include <span>

#include "probes/engines/inline/code_image.h"
#include "probes/engines/inline/inline_run.h"
#include "probes/engines/inline/target_view.h"
#include "probes/records/control_region.h"
#include "probes/target/remote_thread.h"
#include "src/base/result.h"

namespace nohalt::engines {

// What goes where, decided before anything is touched.
struct InstallPlan {
  const TargetView& view;
  const RunPlaces& places;
  std::span<const CodeSite> sites;
  const records::RunLayout& layout;
  std::chrono::microseconds longest_hold{0};  // where threads have to be stopped
};

// All or nothing, as far as the target allows: after a failure what could not be
// taken back is dormant and named, for a sweep.
[[nodiscard]] Result<InstalledRun> install(target::RemoteThread& thread, const InstallPlan& plan);

}  // namespace nohalt::engines
