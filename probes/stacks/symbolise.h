// Names for frames: function, file and line, with the functions that are inlined
// in a frame's code as frames of their own.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "probes/stacks/images.h"
#include "probes/stacks/unwind.h"

namespace nohalt::stacks {

struct NamedFrame {
  FrameKind kind = FrameKind::kNormal;
  std::size_t frame = 0;  // index of the physical frame that it runs in
  std::string function;   // empty: unknown
  std::string file;       // empty: no debug information
  std::uint32_t line = 0;
};

// Innermost first. A frame whose innermost function is inlined comes as that
// function (kInlined), then those around it, the last with the frame's own kind;
// so an inlined function that was hit is not kFirst, but the first.
[[nodiscard]] std::vector<NamedFrame> symbolise(const std::vector<Frame>& frames,
                                                const UnwindImages& images);

}  // namespace nohalt::stacks
