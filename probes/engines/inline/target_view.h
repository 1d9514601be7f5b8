// One moment's view of a process, as planning and arming need it: what is
// mapped, where there is room, and what narrows where it may be patched.
// Touches nothing.
//
// Threading: plain values.
#pragma once

#include "probes/engines/inline/executable.h"
#include "probes/engines/inline/placement/address_space.h"
#include "probes/engines/inline/read_obstacles.h"
#include "probes/target/process.h"

namespace nohalt::engines {

struct TargetView {
  target::Maps maps;
  MappedExecutable executable;
  std::uint64_t caught_signals = 0;  // before the traits were looked at
  inline_sites::TargetTraits traits;
  ReadObstacles reads;
  inline_placement::AddressSpace space{inline_placement::SpaceInput{}};
};

[[nodiscard]] Result<TargetView> look_at(const target::Process& process,
                                         const symbols::DebugInfo& info);

// The room in an address space right now; part of the view, for those who need
// only this.
[[nodiscard]] Result<inline_placement::AddressSpace> find_room(const target::Process& process,
                                                               const target::Maps& maps);

}  // namespace nohalt::engines
