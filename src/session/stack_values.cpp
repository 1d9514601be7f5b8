// Two walks over the frames: the first finds what policy hides in any of them,
// the second reads values, so that no frame shows another one's secret.
#include "src/session/stack_values.h"

#include <algorithm>

#include "probes/stacks/entry_values.h"
#include "probes/stacks/locals/hidden.h"
#include "probes/stacks/symbolise.h"
#include "src/session/function_names.h"
#include "src/session/shown_value.h"
#include "src/session/withhold.h"

namespace nohalt::session {

namespace {

// Of a hidden one no more than what function it is.
output::Frame shown_frame(const stacks::NamedFrame& named, const stacks::Frame& physical,
                          bool is_hidden) {
  output::Frame frame;
  frame.function = named.function;
  if (!is_hidden) {
    frame.file = named.file;
    frame.line = named.line;
  }
  if (named.file.empty()) frame.module = physical.module;
  frame.is_inlined = named.kind == stacks::FrameKind::kInlined;
  frame.is_signal = named.kind == stacks::FrameKind::kSignal;
  return frame;
}

}  // namespace

const StackValues::Known& StackValues::known_of(const stacks::Frame& frame) {
  static const Known kNone;
  const auto place = images_->find(frame.lookup_pc);
  const symbols::DebugInfo* info = place ? images_->debug_info(*place) : nullptr;
  if (info == nullptr) return kNone;
  const auto [found, is_new] = known_.try_emplace({place->image, place->address});
  if (!is_new) return found->second;
  Known& known = found->second;
  if (auto functions = functions_at(*info, place->address)) known.all = std::move(*functions);
  known.shown = known.all;
  for (ScopeFrame& function : known.shown)
    if (!leave_.may(policy::Right::kSnapLocals) ||
        is_hidden_frame(leave_, function.where.function, function.where.file))
      function.values.clear();
  return known;
}

std::vector<RuntimeRange> StackValues::hidden_in(const std::vector<stacks::Frame>& frames,
                                                 const stacks::HitMemory& memory) {
  static const capture::Redaction kAll = [](std::string_view, const symbols::Type&) {
    return true;
  };
  std::vector<RuntimeRange> hidden;
  for (const stacks::Frame& frame : frames) {
    for (const ScopeFrame& function : known_of(frame).all) {
      const bool all = is_hidden_frame(leave_, function.where.function, function.where.file);
      const capture::Redaction& rule = all ? kAll : redaction_;
      for (const ScopeValue& value : function.values) {
        const auto ranges =
            locals::hidden_ranges(std::span(&value.variable, 1), frame, rule, memory);
        hidden.insert(hidden.end(), ranges.begin(), ranges.end());
      }
    }
  }
  return hidden;
}

void StackValues::add(output::Hit& hit, const spec::ProbeSpec& spec, const values::HitStack& stack,
                      CoreContents* core) {
  static_assert(capture::kBelowStack == stacks::kRedZone);
  const stacks::CapturedStack captured{
      stacks::registers_of(stack.registers), {stack.registers.rsp - stacks::kRedZone}, stack.bytes};
  auto unwound = stacks::unwind(captured, *images_, {.max_frames = spec.stack_frames});
  if (!unwound) {
    hit.stack_end = unwound.error().reason;
    hit.stack_end_why = unwound.error().message;
    return;
  }
  if (hit.frames.empty()) {
    output::Frame& first = hit.frames.emplace_back();
    first.function = hit.function;
    first.file = hit.file;
    first.line = hit.line;
  }
  add_callers(hit, spec, captured, *unwound, core);
  hit.stack_end = stacks::name_of(unwound->ending);
  hit.stack_end_why = unwound->why;
}

// The functions of the site are known already, with their values; those that
// called them come from the stack.
void StackValues::add_callers(output::Hit& hit, const spec::ProbeSpec& spec,
                              const stacks::CapturedStack& captured, stacks::Unwound& unwound,
                              CoreContents* core) {
  std::vector<stacks::Frame>& frames = unwound.frames;
  const bool with_values = spec.kind == spec::ProbeKind::kSnapshot;
  stacks::HitMemory memory(captured, *images_);
  const std::vector<RuntimeRange> hidden =
      with_values ? hidden_in(frames, memory) : std::vector<RuntimeRange>();
  for (const RuntimeRange& range : hidden) memory.hide(range);
  const locals::Rules rules{capture_limits(spec), redaction_};
  if (with_values) {
    stacks::find_entry_values(frames, *images_, memory);
    fill_entry_values(hit, frames.front(), memory, rules);
  }
  if (core != nullptr)
    gather(*core, {unwound, captured, memory, rules, hidden,
                   [this](const stacks::Frame& frame) -> const Functions& {
                     return functions_of(frame);
                   }});
  std::size_t physical = 0;
  std::size_t inlined = 0;  // which function of the physical frame
  for (const stacks::NamedFrame& named : stacks::symbolise(frames, *images_)) {
    inlined = named.frame == physical ? inlined : 0;
    physical = named.frame;
    const std::size_t which = inlined++;
    const bool is_hidden = is_hidden_frame(leave_, named.function, named.file);
    if (physical == 0) {
      if (which >= hit.frames.size())
        hit.frames.push_back(shown_frame(named, frames[0], is_hidden));
      hit.frames[which].is_inlined = named.kind == stacks::FrameKind::kInlined;
      continue;
    }
    const stacks::Frame& frame = frames[physical];
    output::Frame& shown = hit.frames.emplace_back(shown_frame(named, frame, is_hidden));
    const Functions& functions = functions_of(frame);
    if (is_hidden || !with_values || which >= functions.size()) continue;
    for (const ScopeValue& scope : functions[which].values) {
      values::Value value = locals::value_of(scope.variable, frame, memory, rules);
      name_functions(value, *images_);
      withhold(value, value_rules_, redaction_);
      if (value.is_dropped) continue;
      shown.values.push_back(scope_value(scope, &value, shown.line));
    }
  }
}

// The hit's own values are in the record, or are said to be of the caller.
void StackValues::fill_entry_values(output::Hit& hit, const stacks::Frame& frame,
                                    const stacks::HitMemory& memory, const locals::Rules& rules) {
  const Functions& functions = functions_of(frame);
  for (std::size_t i = 0; i < functions.size() && i < hit.frames.size(); ++i) {
    std::vector<output::Value>& shown = i == 0 ? hit.values : hit.frames[i].values;
    for (const ScopeValue& scope : functions[i].values) {
      if (!scope.variable.at_entry) continue;
      const auto same = [&](const output::Value& value) {
        return value.name == scope.name && value.role != "capture" && value.json.empty();
      };
      const auto found = std::ranges::find_if(shown, same);
      if (found == shown.end()) continue;
      values::Value value = locals::value_of(scope.variable, frame, memory, rules);
      name_functions(value, *images_);
      withhold(value, value_rules_, redaction_);
      if (value.is_there()) *found = scope_value(scope, &value, hit.frames[i].line);
    }
  }
}

}  // namespace nohalt::session
