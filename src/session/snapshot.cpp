// A snapshot shows what it can: one value that cannot be captured must not cost
// the others. So the whole is tried first, and only where it fails is it found
// out which values are to blame.
#include "src/session/snapshot.h"

#include <algorithm>
#include <cstdlib>
#include <set>

#include "probes/language/binder.h"

namespace nohalt::session {

namespace {

using capture::BuiltCapture;
using capture::CaptureRequest;

// Names are keys of the record. Of two that are alike the first is the one that
// an expression would mean.
std::vector<ScopeValue> named_values(std::vector<symbols::Variable> variables) {
  std::vector<ScopeValue> values;
  std::set<std::string> taken;
  for (symbols::Variable& variable : variables) {
    if (variable.type == nullptr) continue;
    std::string name = variable.name;
    if (taken.contains(name)) name += "@" + std::to_string(variable.declared_line);
    const std::string stem = name;
    for (int i = 2; taken.contains(name); ++i) name = stem + "#" + std::to_string(i);
    taken.insert(name);
    language::BoundPtr bound = language::bind_variable(variable);
    values.push_back({std::move(name), std::move(variable), std::move(bound), {}});
  }
  return values;
}

std::vector<ScopeValue*> captured(std::vector<ScopeFrame>& frames) {
  std::vector<ScopeValue*> all;
  for (ScopeFrame& frame : frames)
    for (ScopeValue& value : frame.values)
      if (value.left_out.empty()) all.push_back(&value);
  return all;
}

Result<BuiltCapture> build_with(CaptureRequest request, const std::vector<ScopeValue*>& values) {
  std::vector<language::BoundPtr> all;
  for (const ScopeValue* value : values) all.push_back(value->bound);
  all.insert(all.end(), request.values.begin(), request.values.end());
  request.values = std::move(all);
  return capture::build_capture(request);
}

void leave_out_uncapturable(const CaptureRequest& request, std::vector<ScopeFrame>& frames) {
  CaptureRequest alone;
  alone.limits = request.limits;
  alone.bias = request.bias;
  alone.has_thread_pointer = request.has_thread_pointer;
  alone.redaction = request.redaction;
  alone.dynamic_classes = request.dynamic_classes;
  for (ScopeValue* value : captured(frames)) {
    const auto built = build_with(alone, {value});
    if (!built) value->left_out = "a probe cannot capture it (" + built.error().reason + ")";
  }
}

}  // namespace

Result<std::vector<ScopeFrame>> functions_at(const symbols::DebugInfo& info, LinkAddress pc) {
  NOHALT_TRY(auto variables, info.variables_by_function(pc));
  std::vector<symbols::SourceFrame> places = info.source_frames(pc);
  places.resize(variables.size());
  std::vector<ScopeFrame> frames;
  for (std::size_t i = 0; i < variables.size(); ++i)
    frames.push_back({std::move(places[i]), named_values(std::move(variables[i]))});
  return frames;
}

Result<std::vector<ScopeFrame>> frames_in_scope(const symbols::DebugInfo& info,
                                                const symbols::LineSite& site, LinkAddress pc) {
  NOHALT_TRY(auto frames, functions_at(info, pc));
  frames[0].where = {site.function, site.file, site.line, frames[0].where.is_inlined};
  return frames;
}

bool is_hidden_frame(const policy::Leave& leave, const std::string& function,
                     const std::string& file) {
  return leave.hides({policy::SourceUse::Kind::kCode, "a frame", file, function});
}

Result<BuiltCapture> build_snapshot(const CaptureRequest& request,
                                    std::vector<ScopeFrame>& frames) {
  auto built = build_with(request, captured(frames));
  if (built) return built;
  // What the person asked for by name is not left out.
  if (const auto own = build_with(request, {}); !own) return std::unexpected(own.error());
  leave_out_uncapturable(request, frames);
  // Of what is left the largest go, as few of them as will do.
  std::vector<ScopeValue*> by_size = captured(frames);
  std::ranges::stable_sort(by_size, std::greater{}, [](const ScopeValue* value) {
    return symbols::strip_typedefs(value->variable.type)->byte_size;
  });
  const auto build_without = [&](std::size_t largest) {
    for (std::size_t i = 0; i < by_size.size(); ++i)
      by_size[i]->left_out = i < largest ? "the probe captures as much as one may" : "";
    return build_with(request, captured(frames));
  };
  std::size_t fewest = 0;
  std::size_t enough = by_size.size();
  while (fewest < enough) {
    const std::size_t tried = fewest + (enough - fewest) / 2;
    if (build_without(tried))
      enough = tried;
    else
      fewest = tried + 1;
  }
  return build_without(enough);
}

std::uint32_t nearest_line(const symbols::Variable& variable, std::uint32_t line) {
  const auto distance = [line](std::uint32_t other) {
    return std::abs(static_cast<long>(other) - static_cast<long>(line));
  };
  const auto nearest = std::ranges::min_element(variable.available_lines, {}, distance);
  return nearest == variable.available_lines.end() ? 0 : *nearest;
}

}  // namespace nohalt::session
