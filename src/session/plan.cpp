// `nohalt plan`: everything up to the decision, shown instead of armed.
#include <algorithm>

#include "probes/capture/hidden.h"
#include "src/output/plan_report.h"
#include "src/output/talk.h"
#include "src/session/answer.h"
#include "src/session/attach.h"
#include "src/session/disclosures.h"
#include "src/session/object_classes.h"
#include "src/session/permission.h"
#include "src/session/redaction.h"
#include "src/session/session.h"

namespace nohalt::session {

namespace {

output::Obstacle obstacle(const Error& error) { return {error.reason, error.message, error.hint}; }

const char* kind_name(symbols::VariableKind kind) {
  switch (kind) {
    case symbols::VariableKind::kArgument:
      return "argument";
    case symbols::VariableKind::kLocal:
      return "local";
    case symbols::VariableKind::kGlobal:
      return "global";
  }
  return "";
}

std::string why_unavailable(const symbols::Unavailable& unavailable) {
  switch (unavailable.why) {
    case symbols::UnavailableWhy::kOptimizedOut:
      return "The compiler keeps no value of it at this address.";
    case symbols::UnavailableWhy::kEntryValue:
      return "Only its value on entry is described, which needs the caller's frame.";
    case symbols::UnavailableWhy::kThreadLocal:
      return "It is thread-local, and not in the executable itself.";
    case symbols::UnavailableWhy::kUnsupported:
      return unavailable.detail;
  }
  return unavailable.detail;
}

output::PlanVariable plan_variable(const symbols::Variable& variable,
                                   const capture::Redaction& redaction) {
  output::PlanVariable shown;
  shown.name = variable.name;
  shown.type = variable.type != nullptr ? variable.type->name : "";
  shown.kind = kind_name(variable.kind);
  shown.state = "available";
  shown.available_lines = variable.available_lines;
  if (const auto* unavailable = std::get_if<symbols::Unavailable>(&variable.location)) {
    const bool gone = unavailable->why == symbols::UnavailableWhy::kOptimizedOut;
    shown.state = gone ? "optimized_out" : "unavailable";
    shown.why = why_unavailable(*unavailable);
  }
  if (const auto hidden = capture::why_hidden(variable, redaction)) {
    shown.state = "redacted";
    shown.why = hidden->text;
  }
  return shown;
}

output::PlanSite plan_site(const PreparedSite& site, const capture::Redaction& redaction) {
  const engines::SitePlan& plan = site.chosen.plan;
  output::PlanSite shown;
  shown.file = site.line.file;
  shown.line = site.line.line;
  shown.function = site.line.function;
  shown.module = site.module;
  shown.module_build_id = site.module_build_id;
  shown.inlined_into = site.line.inlined_into;
  shown.link_address = site.line.pc.value;
  shown.runtime_address = site.chosen.bias.to_runtime(site.line.pc).value;
  shown.patched_address = site.chosen.bias.to_runtime(plan.patched).value;
  shown.window = plan.window;
  shown.listing = plan.listing;
  shown.changed_bytes = plan.changed_bytes;
  if (plan.needs_stop) shown.stop = {{plan.threads, plan.expected_hold}};
  if (plan.patchable())
    shown.engine = "inline";
  else
    shown.refusals.push_back({plan.refusal, plan.refusal_text, plan.refusal_hint});
  for (const symbols::Variable& variable : site.scope->locals())
    shown.variables.push_back(plan_variable(variable, redaction));
  if (site.capture) {
    shown.instructions = static_cast<std::uint32_t>(site.cost.instructions);
    shown.record_bytes = site.capture->program.record_size;
    shown.system_calls = static_cast<std::uint32_t>(site.cost.user_reads);
  }
  return shown;
}

struct Planned {
  output::PlanReport report;
  int status = 0;
};

Result<Planned> make_plan(const PlanCommand& command) {
  NOHALT_TRY(const auto at, attach(policy::Caller::current(), command.pid, command.common,
                                   {policy::Right::kPlan}));
  // Rules by build id stop nothing before.
  NOHALT_TRY([[maybe_unused]] const policy::Leave leave,
             at->authority.leave(at->admission, at->facts, {{policy::Right::kPlan}, {}, {}, {}}));
  NOHALT_TRY(const engines::TargetView view, engines::look_at(at->process, at->modules.files()));
  Planned planned;
  NOHALT_TRY(const auto classes, ObjectClasses::open(*at));
  planned.report.pid = command.pid;
  planned.report.exe = at->facts.exe_path;
  planned.report.build_id = at->facts.build_id;
  if (command.redaction)
    for (const std::string_view rule : at->authority.value_rules().names())
      planned.report.value_rules.emplace_back(rule);
  std::vector<engines::TakenBytes> taken;
  for (spec::ProbeSpec spec : command.probes) {
    spec.allow_stop = true;  // what it would take is shown, and that it takes a leave
    output::PlanPlace place;
    place.location = spec.location;
    auto permitted =
        prepare_permitted(*at, view, *classes, {spec}, {{policy::Right::kPlan}, {}, {}, {}}, taken);
    if (!permitted) {
      place.errors.push_back(obstacle(permitted.error()));
      planned.status = std::max(planned.status, exit_status(permitted.error().code));
    } else {
      taken = std::move(permitted->taken);
      PreparedProbe* probe = &permitted->probes.front();
      const capture::Redaction redaction =
          redaction_of(at->authority.redaction(), &permitted->leave);
      for (const PreparedSite& site : probe->sites) {
        place.sites.push_back(plan_site(site, redaction));
        if (command.redaction) place.sites.back().values = disclosures_of(site);
      }
      for (const PlaceGap& gap : probe->gaps)
        place.warnings.push_back({gap.reason, gap.text, gap.hint});
      if (!probe->armable()) {
        place.errors.push_back(obstacle(refusal_of(*probe, view)));
        planned.status = std::max(planned.status, exit_status(ErrorCode::kRefused));
      }
    }
    planned.report.places.push_back(std::move(place));
  }
  return planned;
}

}  // namespace

int run_plan(const PlanCommand& command) {
  output::Talk talk;
  const auto planned = make_plan(command);
  if (!planned) {
    talk.error(planned.error());
    return exit_status(planned.error().code);
  }
  const bool json = command.common.format == Format::kJson;
  const int written =
      write_answer(command.common, json ? output::plan_json(planned->report)
                                        : output::plan_text(planned->report, false));
  return written != 0 ? written : planned->status;
}

}  // namespace nohalt::session
