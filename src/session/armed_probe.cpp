// One record at a time; thread names are read once and kept.
#include "src/session/armed_probe.h"

#include <utility>

#include "src/base/file.h"
#include "src/session/error_number.h"
#include "src/session/function_names.h"
#include "src/session/hex_values.h"
#include "src/session/hide_computed.h"
#include "src/session/object_names.h"
#include "src/session/shown_value.h"
#include "src/session/slices.h"
#include "src/session/withhold.h"

namespace nohalt::session {

namespace {

// Names of threads that come and go must not pile up.
constexpr std::size_t kMostNames = 4096;

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

output::Hit HitMaker::make(const engines::RawRecord& record, CoreContents* core) {
  const SiteIndex& at = sites_[record.site];
  const values::HitFacts facts{pid_, static_cast<std::int64_t>(record.tid)};
  auto decoded = values::decode(at.site->capture->layout, record.body, facts);
  for (values::NamedValue& each : decoded) {
    name_objects(each.value, vtables_, stacks_.redaction());
    name_functions(each.value, stacks_.images());
  }
  hide_computed(at.site->capture->layout, record.body, decoded, value_rules_);
  hide_slices(at.site->slices, at.site->capture->layout, record.body, decoded, value_rules_);
  for (values::NamedValue& each : decoded) withhold(each.value, value_rules_, stacks_.redaction());
  output::Hit hit;
  hit.wall_ns = record.wall_ns;
  hit.seq = record.seq;
  hit.probe = probe_name(run_, at.probe_number, count_);
  hit.tid = record.tid;
  // Its name is text of the target.
  if (!stacks_.redaction().all_but_numbers) hit.thread = thread_name(record.tid);
  hit.file = at.site->line.file;
  hit.line = at.site->line.line;
  hit.function = at.site->line.function;
  hit.module = at.site->module;
  hit.module_build_id = at.site->module_build_id;
  hit.suppressed = record.suppressed;
  hit.dropped = record.dropped;
  if (at.probe->spec.kind == spec::ProbeKind::kSnapshot)
    add_snapshot(hit, at, decoded);
  else
    add_message(hit, at, record.body, decoded);
  if (core != nullptr) {
    core->layout = &at.site->capture->layout;
    core->body = record.body;
    core->vtables = &vtables_;
    // A part of a text would be in the file beside what hides it.
    const std::vector<Slice>& slices = at.site->slices;
    const std::size_t all = core->layout->values.size();
    const std::size_t asked = all - beside(slices).size();
    core->left_out.clear();
    for (std::size_t i = asked; i < all; ++i) core->left_out.insert(i);
    for (const Slice& slice : slices)
      for (const Part& part : slice.parts) core->left_out.insert(asked - 1 - part.from_last);
  }
  if (const auto stack = values::stack_of(at.site->capture->layout, record.body))
    stacks_.add(hit, at.probe->spec, *stack, core);
  return hit;
}

void HitMaker::add_message(output::Hit& hit, const SiteIndex& at, std::span<const std::byte> body,
                           std::vector<values::NamedValue>& decoded) const {
  const std::size_t in_message = at.site->message.values.size();
  show_hex(at.site->message, at.site->capture->layout, body, std::span(decoded).first(in_message),
           value_rules_);
  hit.message = values::render(at.site->message, std::span(decoded).first(in_message));
  for (std::size_t i = 0; i < decoded.size(); ++i)
    if (!decoded[i].value.is_dropped) hit.values.push_back(shown_value(decoded[i], i < in_message));
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
      const values::Value* found = value.left_out.empty() ? &decoded[next++].value : nullptr;
      if (found != nullptr && found->is_dropped) continue;
      frame.values.push_back(scope_value(value, found, hit.line));
    }
    hit.frames.push_back(std::move(frame));
  }
  hit.values = std::exchange(hit.frames.front().values, {});
  if (hit.frames.size() == 1) hit.frames.clear();
  if (at.site->shows_error_number) {
    values::NamedValue number = decoded[next++];
    name_error(number.value);
    hit.error_number = tree_value(number);
  }
  for (; next < decoded.size(); ++next) {
    if (decoded[next].value.is_dropped) continue;
    output::Value value = tree_value(decoded[next]);
    value.role = "capture";
    hit.values.push_back(std::move(value));
  }
}

}  // namespace nohalt::session
