// The steps in order; each hands its error up as it is.
#include "src/session/prepare.h"

#include <algorithm>
#include <cstdlib>

#include "probes/program/rules.h"
#include "src/session/guesses.h"
#include "src/session/hex_values.h"
#include "src/session/prepare_calls.h"
#include "src/session/redaction.h"

namespace nohalt::session {

namespace {

// A snapshot is taken once and of everything: it gets the largest record, and so does
// what a stack comes with.
constexpr std::uint32_t kLargestRecord = 32 * 1024;
constexpr std::uint32_t kSnapshotPointers = 96;
constexpr std::uint32_t kStackBytes = 16 * 1024;

// Of a function in a denied source no more than its name is shown.
void hide_frames(const policy::Leave& leave, std::vector<ScopeFrame>& frames) {
  for (ScopeFrame& frame : frames) {
    if (is_hidden_frame(leave, frame.where.function, frame.where.file)) {
      frame.values.clear();
      frame.where.file.clear();
      frame.where.line = 0;
    }
    if (leave.may(policy::Right::kSnapLocals)) continue;
    for (ScopeValue& value : frame.values)
      value.left_out = "the policy lets only named values be seen (right snap-locals)";
  }
}

// Counted from the last, since a snapshot's own values come to stand before them.
void add_slices(PreparedSite& site, std::vector<language::BoundPtr>& values) {
  site.slices = slices_of(values);
  for (language::BoundPtr& each : beside(site.slices)) values.push_back(std::move(each));
}

Status check_guesses(const std::vector<language::BoundPtr>& values,
                     const language::BoundPtr& condition, const policy::ValueRules& rules) {
  for (const language::BoundPtr& value : values) NOHALT_CHECK(check_literals(*value, rules));
  if (!condition) return {};
  NOHALT_CHECK(check_literals(*condition, rules));
  NOHALT_CHECK(check_tests(*condition, rules));
  return check_parts(*condition);
}

// Names are bound where the probe will really sit, since that is where the
// values are read.
Result<PreparedSite> bind_site(PreparedSite site, const spec::ProbeSpec& spec,
                               const engines::TargetView& view, const PrepareOptions& options) {
  const symbols::DebugInfo& info = *view.images[site.chosen.image].info;
  symbols::LineSite here = site.line;
  here.pc = site.chosen.plan.patched;
  NOHALT_TRY(site.scope, language::scope_at(info, here, {options.error_number}));
  const language::BindOptions binding{.allow_raw = options.allow_raw};
  const bool is_snapshot = spec.kind == spec::ProbeKind::kSnapshot;
  if (is_snapshot) {
    NOHALT_TRY(site.frames, frames_in_scope(info, site.line, here.pc));
    if (options.leave != nullptr) hide_frames(*options.leave, site.frames);
  } else {
    NOHALT_TRY(site.message, language::bind_template(spec.message, *site.scope, binding));
    NOHALT_CHECK(check_hex(site.message));
  }
  capture::CaptureRequest request = request_at(spec, site, view, options);
  request.values = site.message.values;
  site.shows_error_number =
      is_snapshot && std::holds_alternative<symbols::InMemory>(options.error_number.location) &&
      engines::check_reads(view.reads, {.user_reads = 1});
  if (site.shows_error_number)
    request.values.push_back(language::bind_variable(options.error_number));
  for (const std::string& text : spec.captures) {
    NOHALT_TRY(auto bound, language::bind_expression(text, *site.scope, binding, "--capture"));
    site.extra.push_back(bound);
    request.values.push_back(std::move(bound));
  }
  if (!spec.condition.empty()) {
    NOHALT_TRY(request.condition, language::bind_condition(spec.condition, *site.scope, binding));
    site.condition = request.condition;
  }
  add_slices(site, request.values);
  NOHALT_TRY(site.capture,
             is_snapshot ? build_snapshot(request, site.frames) : capture::build_capture(request));
  if (options.value_rules != nullptr)
    NOHALT_CHECK(check_guesses(request.values, request.condition, *options.value_rules));
  NOHALT_CHECK(check_capture(site, view));
  return site;
}

}  // namespace

capture::CaptureRequest request_at(const spec::ProbeSpec& spec, const PreparedSite& site,
                                   const engines::TargetView& view, const PrepareOptions& options) {
  capture::CaptureRequest request;
  request.limits = capture_limits(spec);
  if (spec.stack_frames > 0) request.stack_bytes = kStackBytes;
  request.bias = site.chosen.bias;
  request.has_thread_pointer = !view.reads.hides_thread_pointer;
  if (options.dynamic_classes)
    request.dynamic_classes = options.dynamic_classes(*view.images[site.chosen.image].info);
  if (options.redaction != nullptr)
    request.redaction = redaction_of(*options.redaction, options.leave);
  if (options.leave != nullptr)
    request.limits.record_bytes = static_cast<std::uint32_t>(
        std::min<std::uint64_t>(request.limits.record_bytes, options.leave->snapshot_bytes()));
  return request;
}

Status check_capture(PreparedSite& site, const engines::TargetView& view) {
  const auto verified = program::verify(site.capture->program);
  if (!verified) return std::unexpected(program::to_error(verified.error()));
  NOHALT_CHECK(engines::check_reads(view.reads, verified->cost));
  site.cost = verified->cost;
  return {};
}

capture::CaptureLimits capture_limits(const spec::ProbeSpec& spec) {
  capture::CaptureLimits limits;
  limits.depth = spec.size.depth;
  limits.string_bytes = spec.size.string_bytes;
  limits.items = spec.size.items;
  const bool is_snapshot = spec.kind == spec::ProbeKind::kSnapshot;
  if (is_snapshot || spec.stack_frames > 0) limits.record_bytes = kLargestRecord;
  if (is_snapshot) limits.pointers = kSnapshotPointers;
  return limits;
}

const char* kind_name(spec::ProbeKind kind) {
  switch (kind) {
    case spec::ProbeKind::kLog:
      return "log";
    case spec::ProbeKind::kSnapshot:
      return "snapshot";
    case spec::ProbeKind::kCalls:
      break;
  }
  return "trace";
}

engines::StopRule stop_rule(const spec::ProbeSpec& spec) {
  return spec.allow_stop ? engines::StopRule::kWhereNeeded : engines::StopRule::kNever;
}

bool PreparedProbe::armable() const {
  return std::any_of(sites.begin(), sites.end(),
                     [](const PreparedSite& site) { return site.capture.has_value(); });
}

Result<PreparedProbe> prepare(const spec::ProbeSpec& spec, const Modules& modules,
                              const engines::TargetView& view,
                              std::vector<engines::TakenBytes>& taken,
                              const PrepareOptions& options) {
  if (spec.kind == spec::ProbeKind::kCalls)
    return prepare_calls(spec, modules, view, taken, options);
  NOHALT_TRY(FoundPlaces found, modules.resolve(spec.location));
  PreparedProbe probe;
  probe.spec = spec;
  probe.gaps = std::move(found.gaps);
  for (ModuleSite& place : found.sites) {
    PreparedSite site;
    NOHALT_TRY(site.chosen,
               engines::choose_site(view, place.module, place.line, taken, stop_rule(spec)));
    site.line = std::move(place.line);
    if (const Module& module = modules.all()[place.module]; module.is_library()) {
      site.module = module.path;
      site.module_build_id = module.info().build_id();
    }
    NOHALT_TRY(site, bind_site(std::move(site), spec, view, options));
    if (site.chosen.plan.patchable()) {
      taken.push_back(site.chosen.taken());
    } else {
      site.capture.reset();
    }
    probe.sites.push_back(std::move(site));
  }
  return probe;
}

RecordBytes record_bytes(const PreparedProbe& probe) {
  RecordBytes largest;
  for (const PreparedSite& site : probe.sites) {
    if (!site.capture) continue;
    std::uint64_t& bytes =
        site.role == engines::SiteRole::kReturn ? largest.of_returns : largest.of_entry;
    bytes = std::max<std::uint64_t>(bytes, site.capture->program.record_size);
  }
  return largest;
}

std::vector<policy::AskedLimits> asked_limits(const std::vector<spec::ProbeSpec>& specs,
                                              const std::vector<PreparedProbe>& prepared) {
  std::vector<policy::AskedLimits> all;
  for (std::size_t i = 0; i < specs.size(); ++i) {
    const spec::ProbeSpec& probe = specs[i];
    policy::AskedLimits asked;
    asked.hits_per_second = probe.limits.hits_per_second;
    // Who asks for a rate asks for the bytes that come with it.
    if (probe.limits.hits_per_second && i < prepared.size())
      asked.bytes_per_second =
          *probe.limits.hits_per_second *
          (record_bytes(prepared[i]).of_entry + record_bytes(prepared[i]).of_returns);
    asked.lease = probe.limits.lease;
    asked.cpu_share = probe.limits.cpu_share;
    asked.hold = probe.limits.hold;
    all.push_back(asked);
  }
  return all;
}

Error refusal_of(const PreparedProbe& probe, const engines::TargetView& view) {
  const PreparedSite& first = probe.sites.front();
  const std::size_t image = first.chosen.image;
  const engines::SitePlan& plan = first.chosen.plan;
  Error error{
      ErrorCode::kRefused, plan.refusal,
      probe.spec.location + " cannot be probed (" + plan.refusal + "): " + plan.refusal_text,
      plan.refusal_hint};
  const auto distance = [&](const symbols::StatementRow& row) {
    return std::abs(static_cast<long>(row.line) - static_cast<long>(first.line.line));
  };
  std::vector<symbols::StatementRow> rows;
  for (symbols::StatementRow& row : view.images[image].info->statements()) {
    if (row.file == first.line.file && row.line != first.line.line &&
        first.line.function_range.contains(row.pc))
      rows.push_back(std::move(row));
  }
  std::stable_sort(rows.begin(), rows.end(),
                   [&](const auto& a, const auto& b) { return distance(a) < distance(b); });
  for (const symbols::StatementRow& row : rows) {
    symbols::LineSite other = first.line;
    other.pc = row.pc;
    other.statement = {row.pc, row.pc + 1};
    const auto chosen = engines::choose_site(view, image, other, {}, stop_rule(probe.spec));
    if (!chosen || !chosen->plan.patchable()) continue;
    const std::string instead =
        plan.needs_stop ? plan.refusal_hint + " Without a stop: the" : "The";
    error.hint = instead + " nearest line that works is " +
                 row.file.substr(row.file.rfind('/') + 1) + ":" + std::to_string(row.line) + ".";
    break;
  }
  return error;
}

}  // namespace nohalt::session
