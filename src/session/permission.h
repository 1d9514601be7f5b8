// Under which rules a run's probes are prepared. Which role serves decides what may be
// seen, and what is seen decides which role serves: so the sources that are known are
// weighed, the probes are prepared under what that leaves, and where they look at
// something that it hides, all is weighed again with that, until both fit.
//
// Threading: one thread. Reads the target's files and /proc only.
#pragma once

#include <vector>

#include "src/session/attach.h"
#include "src/session/object_classes.h"
#include "src/session/prepare.h"

namespace nohalt::session {

struct Permitted {
  policy::Leave leave;
  policy::Asking asking;  // as it was allowed, to be decided once more with the limits
  std::vector<PreparedProbe> probes;
  std::vector<engines::TakenBytes> taken;
};

// `taken` are the places of probes that are prepared already.
[[nodiscard]] Result<Permitted> prepare_permitted(
    const Attachment& at, const engines::TargetView& view, ObjectClasses& classes,
    const std::vector<spec::ProbeSpec>& specs, policy::Asking asking,
    const std::vector<engines::TakenBytes>& taken = {});

// The code that the places are in, and what its debug files ask for. A hint of an error
// may name other places.
[[nodiscard]] Status add_sites(const Attachment& at, const std::vector<spec::ProbeSpec>& specs,
                               policy::Asking& asking);

// What arming these asks for.
[[nodiscard]] std::vector<policy::Right> rights_for(const std::vector<spec::ProbeSpec>& specs);

}  // namespace nohalt::session
