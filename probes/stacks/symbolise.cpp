#include "probes/stacks/symbolise.h"

namespace nohalt::stacks {

std::vector<NamedFrame> symbolise(const std::vector<Frame>& frames, const UnwindImages& images) {
  std::vector<NamedFrame> named;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const Frame& frame = frames[i];
    const std::optional<CodePlace> place = images.find(frame.lookup_pc);
    const symbols::DebugInfo* info = place ? images.debug_info(*place) : nullptr;
    std::vector<symbols::SourceFrame> sources;
    if (info != nullptr) sources = info->source_frames(place->address);
    if (sources.empty()) sources.emplace_back();
    for (symbols::SourceFrame& source : sources) {
      if (source.function.empty() && place)
        source.function = images.table(*place).function_at(place->address);
      named.push_back({.kind = source.is_inlined ? FrameKind::kInlined : frame.kind,
                       .frame = i,
                       .function = std::move(source.function),
                       .file = std::move(source.file),
                       .line = source.line});
    }
  }
  return named;
}

}  // namespace nohalt::stacks
