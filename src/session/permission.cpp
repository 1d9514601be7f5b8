// Each round adds sources or a right to what is asked, and neither is without end.
#include "src/session/permission.h"

#include <algorithm>

#include "src/session/error_number.h"

namespace nohalt::session {

namespace {

using policy::Right;
using policy::SourceUse;

void add_right(std::vector<Right>& rights, Right right) {
  if (std::ranges::find(rights, right) == rights.end()) rights.push_back(right);
}

// The globals of an expression. A local belongs to its frame.
void add_globals(const language::Expr& expr, std::vector<SourceUse>& uses) {
  if (expr.variable && expr.variable->kind == symbols::VariableKind::kGlobal)
    uses.push_back({SourceUse::Kind::kVariable,
                    "global " + expr.variable->name,
                    expr.variable->declared_file,
                    {}});
  for (const auto& operand : expr.operands) add_globals(*operand, uses);
}

void add_globals(const PreparedProbe& probe, std::vector<SourceUse>& uses) {
  for (const PreparedSite& site : probe.sites) {
    for (const auto& bound : site.message.values) add_globals(*bound->root, uses);
    for (const auto& bound : site.extra) add_globals(*bound->root, uses);
    if (site.condition) add_globals(*site.condition->root, uses);
  }
}

// Names near to a wrong one may be of sources that are not to be seen.
std::unexpected<Error> without_names(Error error, const policy::Leave& leave) {
  static constexpr std::string_view kNaming[] = {
      "no-such-library", "no-such-file",   "ambiguous-file", "no-such-function",  "no-code-on-line",
      "unknown-name",    "no-such-member", "unknown-type",   "ambiguous-function"};
  if (leave.has_source_rules() && std::ranges::find(kNaming, error.reason) != std::end(kNaming))
    error.hint = "Near names are not shown where a policy has rules for sources.";
  return std::unexpected(std::move(error));
}

Status prepare_under(const Attachment& at, const engines::TargetView& view, ObjectClasses& classes,
                     const std::vector<spec::ProbeSpec>& specs, Permitted& permitted) {
  const PrepareOptions options{
      .redaction = &at.authority.redaction(),
      .value_rules = &at.authority.value_rules(),
      .error_number = error_number_of(at.process, view.maps),
      .allow_raw = permitted.leave.may(Right::kRaw),
      .dynamic_classes =
          [&classes](const symbols::DebugInfo& info) { return classes.for_capture(info); },
      .leave = &permitted.leave};
  for (const spec::ProbeSpec& spec : specs) {
    NOHALT_TRY(PreparedProbe probe, prepare(spec, at.modules, view, permitted.taken, options));
    permitted.probes.push_back(std::move(probe));
  }
  return {};
}

}  // namespace

Status add_sites(const Attachment& at, const std::vector<spec::ProbeSpec>& specs,
                 policy::Asking& asking) {
  for (const spec::ProbeSpec& spec : specs) {
    NOHALT_TRY(const FoundPlaces found, at.modules.resolve(spec.location));
    for (const ModuleSite& site : found.sites) {
      asking.uses.push_back(
          {SourceUse::Kind::kCode, spec.location, site.line.file, site.line.function});
      for (const Right right : at.modules.all()[site.module].extra_rights)
        add_right(asking.rights, right);
    }
  }
  return {};
}

std::vector<Right> rights_for(const std::vector<spec::ProbeSpec>& specs) {
  std::vector<Right> rights;
  for (const spec::ProbeSpec& spec : specs) {
    const bool is_snapshot = spec.kind == spec::ProbeKind::kSnapshot;
    const Right snap = spec.captures.empty() ? Right::kSnapLocals : Right::kSnap;
    add_right(rights, is_snapshot ? snap : Right::kLog);
    if (spec.stack_frames > 0) add_right(rights, Right::kStack);
  }
  return rights;
}

Result<Permitted> prepare_permitted(const Attachment& at, const engines::TargetView& view,
                                    ObjectClasses& classes,
                                    const std::vector<spec::ProbeSpec>& specs,
                                    policy::Asking asking,
                                    const std::vector<engines::TakenBytes>& taken) {
  for (const Right right : at.extra_rights) add_right(asking.rights, right);
  NOHALT_TRY(policy::Leave leave, at.authority.leave(at.admission, at.facts, asking));
  if (const Status found = add_sites(at, specs, asking); !found)
    return without_names(found.error(), leave);
  while (true) {
    NOHALT_TRY(leave, at.authority.leave(at.admission, at.facts, asking));
    Permitted permitted{leave, asking, {}, taken};
    const Status prepared = prepare_under(at, view, classes, specs, permitted);
    const bool needs_raw = !prepared && prepared.error().reason == "needs-raw-right" &&
                           !at.authority.is_builtin() && !leave.may(Right::kRaw);
    if (!prepared && !needs_raw) return without_names(prepared.error(), leave);
    if (needs_raw) {
      add_right(asking.rights, Right::kRaw);
      continue;
    }
    std::vector<SourceUse> named;
    for (const PreparedProbe& probe : permitted.probes) add_globals(probe, named);
    const bool fits =
        std::ranges::none_of(named, [&](const SourceUse& use) { return leave.hides(use); });
    asking.uses.insert(asking.uses.end(), named.begin(), named.end());
    if (!fits) continue;
    permitted.asking.uses = asking.uses;
    return permitted;
  }
}

}  // namespace nohalt::session
