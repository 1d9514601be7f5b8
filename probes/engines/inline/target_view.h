// One moment's view of a process, as planning and arming need it: what is
// mapped, where there is room, and what narrows where it may be patched.
// Touches nothing.
//
// Threading: plain values.
#pragma once

#include <span>
#include <vector>

#include "probes/engines/inline/mapped_image.h"
#include "probes/engines/inline/placement/address_space.h"
#include "probes/engines/inline/read_obstacles.h"
#include "probes/target/process.h"

namespace nohalt::engines {

struct TargetView {
  target::Maps maps;
  std::vector<MappedImage> images;  // the program first
  std::uint32_t threads = 0;
  std::uint64_t caught_signals = 0;  // before the traits were looked at
  inline_sites::TargetTraits traits;
  ReadObstacles reads;
  inline_placement::AddressSpace space{inline_placement::SpaceInput{}};
};

// `files` are those that places may be in, the program first; they number the images.
[[nodiscard]] Result<TargetView> look_at(const target::Process& process,
                                         std::span<const ProbedFile> files);

// The room in an address space right now; part of the view, for those who need
// only this.
[[nodiscard]] Result<inline_placement::AddressSpace> find_room(const target::Process& process,
                                                               const target::Maps& maps);

}  // namespace nohalt::engines
