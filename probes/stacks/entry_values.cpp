// From the outermost frame inward, since what a caller passed may be something that
// it was itself called with.
#include "probes/stacks/entry_values.h"

namespace nohalt::stacks {

namespace {

// The call by which `frame` was entered from `caller`.
std::optional<symbols::Call> call_between(const Frame& frame, const Frame& caller,
                                          const UnwindImages& images, const ReadMemory& read) {
  if (frame.kind == FrameKind::kSignal || caller.kind == FrameKind::kSignal) return std::nullopt;
  const auto callee_place = images.find(frame.lookup_pc);
  const auto place = images.find(caller.lookup_pc);
  if (!place || !callee_place || place->image != callee_place->image) return std::nullopt;
  const symbols::DebugInfo* info = images.debug_info(*place);
  if (info == nullptr) return std::nullopt;
  std::optional<symbols::Call> call = info->call(caller.link_pc + 1, frame.link_pc);
  if (!call || call->is_certain) return call;
  const auto target = evaluate(call->target, caller.registers, caller.bias, read);
  const bool is_this = target && *target == frame.bias.to_runtime(call->callee).value;
  return is_this ? call : std::nullopt;
}

}  // namespace

void find_entry_values(std::vector<Frame>& frames, const UnwindImages& images,
                       const HitMemory& memory) {
  const ReadMemory read = memory.reader();
  for (std::size_t i = frames.size(); i-- > 1;) {
    const Frame& caller = frames[i];
    Frame& frame = frames[i - 1];
    frame.entered_by = call_between(frame, caller, images, read);
    if (!frame.entered_by) continue;
    for (const symbols::Call::Parameter& passed : frame.entered_by->parameters) {
      const Registers& registers = passed.of_entry ? caller.at_entry : caller.registers;
      const auto value = evaluate(passed.value, registers, caller.bias, read);
      if (value && passed.number < frame.at_entry.size()) frame.at_entry[passed.number] = *value;
    }
  }
}

}  // namespace nohalt::stacks
