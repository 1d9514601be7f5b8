// One record at a time; thread names are read once and kept.
#include "src/session/armed_probe.h"

#include <utility>

#include "probes/stacks/symbolise.h"
#include "probes/stacks/unwind.h"
#include "src/base/file.h"

namespace nohalt::session {

namespace {

// Names of threads that come and go must not pile up.
constexpr std::size_t kMostNames = 4096;

output::Value shown_value(const values::NamedValue& named, bool in_message) {
  output::Value value;
  value.name = named.name;
  value.type = named.value.type;
  value.state = values::state_name(named.value.state);
  value.why = named.value.why;
  value.json = values::content_json(named.value, value.bytes_escaped);
  value.in_message = in_message;
  return value;
}

// The same as a tree in which each part has its type.
output::Value tree_value(const values::NamedValue& named) {
  output::Value value = shown_value(named, false);
  value.kind = values::kind_name(named.value);
  value.json = values::tree_json(named.value, value.bytes_escaped);
  return value;
}

output::Value scope_value(const ScopeValue& scope, const values::NamedValue* decoded,
                          std::uint32_t line) {
  const symbols::Variable& variable = scope.variable;
  output::Value value;
  if (decoded != nullptr) {
    value = tree_value(*decoded);
  } else {
    value.type = variable.type->name;
    value.state = values::state_name(values::ValueState::kUnavailable);
    value.why = scope.left_out;
  }
  value.name = scope.name;
  value.role = variable.kind == symbols::VariableKind::kArgument ? "argument" : "local";
  if (decoded != nullptr && decoded->value.state == values::ValueState::kOptimizedOut)
    if (const std::uint32_t near = nearest_line(variable, line); near != 0)
      value.why += (value.why.empty() ? "" : "; ") + ("available at line " + std::to_string(near));
  return value;
}

output::Frame shown_frame(const stacks::NamedFrame& named, const stacks::Frame& physical) {
  output::Frame frame;
  frame.function = named.function;
  frame.file = named.file;
  frame.line = named.line;
  if (named.file.empty()) frame.module = physical.module;
  frame.is_inlined = named.kind == stacks::FrameKind::kInlined;
  frame.is_signal = named.kind == stacks::FrameKind::kSignal;
  return frame;
}

}  // namespace

std::vector<SiteIndex> index_sites(const std::vector<PreparedProbe>& probes) {
  std::vector<SiteIndex> sites;
  for (std::uint32_t number = 0; number < probes.size(); ++number)
    for (const PreparedSite& site : probes[number].sites)
      if (site.capture) sites.push_back({&probes[number], &site, number});
  return sites;
}

std::string probe_name(const std::string& run, std::uint32_t number, std::size_t count) {
  return count == 1 ? run : run + "." + std::to_string(number + 1);
}

const std::string& HitMaker::thread_name(std::uint32_t tid) {
  if (const auto known = names_.find(tid); known != names_.end()) return known->second;
  if (names_.size() >= kMostNames) names_.clear();
  std::string name;
  if (tid != 0) {
    auto comm =
        read_file("/proc/" + std::to_string(pid_) + "/task/" + std::to_string(tid) + "/comm");
    if (comm && comm->ends_with('\n')) comm->pop_back();
    if (comm) name = std::move(*comm);
  }
  return names_[tid] = std::move(name);
}

output::Hit HitMaker::make(const engines::RawRecord& record) {
  const SiteIndex& at = sites_[record.site];
  const values::HitFacts facts{pid_, static_cast<std::int64_t>(record.tid)};
  const auto decoded = values::decode(at.site->capture->layout, record.body, facts);
  output::Hit hit;
  hit.wall_ns = record.wall_ns;
  hit.seq = record.seq;
  hit.probe = probe_name(run_, at.probe_number, count_);
  hit.tid = record.tid;
  hit.thread = thread_name(record.tid);
  hit.file = at.site->line.file;
  hit.line = at.site->line.line;
  hit.function = at.site->line.function;
  hit.suppressed = record.suppressed;
  hit.dropped = record.dropped;
  if (at.probe->spec.kind == spec::ProbeKind::kSnapshot) {
    add_snapshot(hit, at, decoded);
    if (const auto stack = values::stack_of(at.site->capture->layout, record.body))
      add_stack(hit, at, *stack);
    return hit;
  }
  const std::size_t in_message = at.site->message.values.size();
  hit.message = values::render(at.site->message, std::span(decoded).first(in_message));
  for (std::size_t i = 0; i < decoded.size(); ++i)
    hit.values.push_back(shown_value(decoded[i], i < in_message));
  return hit;
}

void HitMaker::add_snapshot(output::Hit& hit, const SiteIndex& at,
                            const std::vector<values::NamedValue>& decoded) const {
  hit.is_snapshot = true;
  std::size_t next = 0;
  for (const ScopeFrame& scope : at.site->frames) {
    output::Frame frame;
    frame.function = scope.where.function;
    frame.file = scope.where.file;
    frame.line = scope.where.line;
    frame.is_inlined = scope.where.is_inlined;
    for (const ScopeValue& value : scope.values) {
      const values::NamedValue* found = value.left_out.empty() ? &decoded[next++] : nullptr;
      frame.values.push_back(scope_value(value, found, hit.line));
    }
    hit.frames.push_back(std::move(frame));
  }
  hit.values = std::exchange(hit.frames.front().values, {});
  if (hit.frames.size() == 1) hit.frames.clear();
  for (; next < decoded.size(); ++next) {
    output::Value value = tree_value(decoded[next]);
    value.role = "capture";
    hit.values.push_back(std::move(value));
  }
}

// The functions of the site are known already, with their values; those that
// called them come from the stack.
void HitMaker::add_stack(output::Hit& hit, const SiteIndex& at,
                         const values::HitStack& stack) const {
  static_assert(capture::kBelowStack == stacks::kRedZone);
  const stacks::CapturedStack captured{
      stacks::registers_of(stack.registers), {stack.registers.rsp - stacks::kRedZone}, stack.bytes};
  const auto unwound =
      stacks::unwind(captured, *images_, {.max_frames = at.probe->spec.stack_frames});
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
  for (const stacks::NamedFrame& named : stacks::symbolise(unwound->frames, *images_))
    if (named.frame != 0) hit.frames.push_back(shown_frame(named, unwound->frames[named.frame]));
  hit.stack_end = stacks::name_of(unwound->ending);
  hit.stack_end_why = unwound->why;
}

}  // namespace nohalt::session
