// The arguments and the return value are written as the message of a logpoint would be,
// so that whatever hides, renders and decodes a message's values does so for them. The
// return value is a variable with the function's name: a rule that names the function
// hides it, and its type's rules, and those for values, are asked as for any other.
#include "src/session/prepare_calls.h"

#include <algorithm>

#include "probes/language/binder.h"
#include "probes/runtime/layout.h"
#include "probes/symbols/return_value.h"

namespace nohalt::session {

namespace {

using engines::ChosenCalls;
using engines::ChosenReturn;
using language::BoundPtr;

constexpr std::uint16_t kRbp = 6;
constexpr std::uint16_t kRsp = 7;

capture::CallSite call_site(const inline_sites::FrameAt& frame, bool ends) {
  return {ends, frame.by_rbp ? kRbp : kRsp, frame.distance};
}

// `texts` has one more than `values`.
language::BoundTemplate message_of(std::vector<std::string> texts, std::vector<BoundPtr> values) {
  language::BoundTemplate message;
  message.texts = std::move(texts);
  message.specs.resize(values.size());
  message.values = std::move(values);
  return message;
}

Status build_with(PreparedSite& site, capture::CaptureRequest request,
                  const language::BoundTemplate& message, const engines::TargetView& view) {
  request.values = message.values;
  NOHALT_TRY(site.capture, capture::build_capture(request));
  return check_capture(site, view);
}

std::vector<symbols::Variable> arguments_at(const symbols::DebugInfo& info, LinkAddress pc) {
  std::vector<symbols::Variable> arguments;
  auto functions = info.variables_by_function(pc);
  if (!functions || functions->empty()) return arguments;
  for (symbols::Variable& variable : functions->back())
    if (variable.kind == symbols::VariableKind::kArgument && variable.type != nullptr)
      arguments.push_back(std::move(variable));
  return arguments;
}

// What a program cannot capture is named, and why it is not there.
language::BoundTemplate argument_message(const std::string& function,
                                         const std::vector<symbols::Variable>& arguments,
                                         PreparedSite& site, const capture::CaptureRequest& request,
                                         const engines::TargetView& view) {
  std::vector<std::string> texts{function + "("};
  std::vector<BoundPtr> values;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    texts.back() += (i == 0 ? "" : ", ") + arguments[i].name + "=";
    BoundPtr value = language::bind_variable(arguments[i]);
    const Status fits = build_with(site, request, message_of({"", ""}, {value}), view);
    if (!fits) {
      texts.back() += "<unavailable: a probe cannot capture it (" + fits.error().reason + ")>";
      continue;
    }
    values.push_back(std::move(value));
    texts.emplace_back();
  }
  texts.back() += ")";
  return message_of(std::move(texts), std::move(values));
}

PreparedSite new_site(const Modules& modules, std::size_t module, const symbols::LineSite& line,
                      const engines::ChosenSite& chosen, engines::SiteRole role) {
  PreparedSite site;
  site.line = line;
  site.chosen = chosen;
  site.role = role;
  if (const Module& file = modules.all()[module]; file.is_library()) {
    site.module = file.path;
    site.module_build_id = file.info().build_id();
  }
  return site;
}

// Where the arguments together are more than a record holds, the last ones go.
Status build_entry(PreparedSite& site, const ChosenCalls& calls, const spec::ProbeSpec& spec,
                   const engines::TargetView& view, const PrepareOptions& options) {
  const symbols::DebugInfo& info = *view.images[site.chosen.image].info;
  capture::CaptureRequest request = request_at(spec, site, view, options);
  request.call = call_site(calls.frame, false);
  site.message =
      argument_message(site.line.function, arguments_at(info, site.line.pc), site, request, view);
  Status built = build_with(site, request, site.message, view);
  while (!built && !site.message.values.empty()) {
    const std::string behind = site.message.texts.back();
    site.message.texts.pop_back();
    site.message.values.pop_back();
    site.message.specs.pop_back();
    site.message.texts.back() += "<unavailable: the probe captures as much as one may>" + behind;
    built = build_with(site, request, site.message, view);
  }
  return built;
}

symbols::Variable returned_variable(const symbols::FunctionReturn& result) {
  symbols::Variable variable;
  variable.name = result.name.empty() ? kReturnName : result.name;
  variable.type = result.type;
  variable.location = symbols::return_location(result);
  return variable;
}

bool returns_nothing(const std::optional<symbols::FunctionReturn>& result) {
  return result && symbols::strip_typedefs(result->type)->kind == symbols::TypeKind::kVoid;
}

Status build_return(PreparedSite& site, const ChosenReturn& found,
                    const std::optional<symbols::FunctionReturn>& result,
                    const spec::ProbeSpec& spec, const engines::TargetView& view,
                    const PrepareOptions& options, std::string& why_no_value) {
  capture::CaptureRequest request = request_at(spec, site, view, options);
  request.call = call_site(found.frame, true);
  site.message = message_of({""}, {});
  if (returns_nothing(result)) return build_with(site, request, site.message, view);
  if (result) {
    const symbols::Variable variable = returned_variable(*result);
    const auto* missing = std::get_if<symbols::Unavailable>(&variable.location);
    const auto message = message_of({"", ""}, {language::bind_variable(variable)});
    const Status built = missing == nullptr ? build_with(site, request, message, view) : Status{};
    if (missing == nullptr && built) {
      site.message = message;
      return built;
    }
    why_no_value = missing != nullptr ? missing->detail
                                      : "a probe cannot capture it (" + built.error().reason + ")";
  } else {
    why_no_value = "the debug information does not describe what it returns";
  }
  site.message.texts.front() = "<unavailable>";
  return build_with(site, request, site.message, view);
}

// How many more sites the run may have, one left for each function that is still to come.
std::size_t sites_left(const std::vector<engines::TakenBytes>& taken, std::size_t to_come) {
  const std::size_t used = taken.size() + to_come;
  return used < runtime::kMaxProbes ? runtime::kMaxProbes - used : 0;
}

Status add_function(PreparedProbe& probe, const Modules& modules, const ModuleSite& place,
                    const engines::TargetView& view, std::vector<engines::TakenBytes>& taken,
                    const PrepareOptions& options, std::size_t to_come) {
  NOHALT_TRY(const ChosenCalls calls, engines::choose_calls(view, place.module, place.line, taken,
                                                            sites_left(taken, to_come)));
  TracedFunction traced{place.line.function, place.line.file, probe.sites.size(), 0, 0, 0, {}, {}};
  PreparedSite entry =
      new_site(modules, place.module, calls.line, calls.entry, engines::SiteRole::kCallEntry);
  if (!calls.entry.plan.patchable()) {
    probe.sites.push_back(std::move(entry));
    return {};
  }
  NOHALT_CHECK(build_entry(entry, calls, probe.spec, view, options));
  probe.sites.push_back(std::move(entry));
  const auto result =
      view.images[place.module].info->function_return(place.line.function_range.begin);
  traced.tail_calls = calls.tail_calls;
  traced.returns = calls.returns.size();
  for (const ChosenReturn& found : calls.returns) {
    if (!found.chosen.plan.patchable()) {
      traced.why_not_all = found.chosen.plan.refusal;
      continue;
    }
    PreparedSite site =
        new_site(modules, place.module, found.line, found.chosen, engines::SiteRole::kReturn);
    NOHALT_CHECK(build_return(site, found, result, probe.spec, view, options, traced.why_no_value));
    probe.sites.push_back(std::move(site));
    ++traced.returns_seen;
  }
  probe.traced.push_back(std::move(traced));
  return {};
}

}  // namespace

Result<PreparedProbe> prepare_calls(const spec::ProbeSpec& spec, const Modules& modules,
                                    const engines::TargetView& view,
                                    std::vector<engines::TakenBytes>& taken,
                                    const PrepareOptions& options) {
  NOHALT_TRY(FoundPlaces found, modules.resolve(spec.location));
  std::vector<ModuleSite>& places = found.sites;
  PreparedProbe probe;
  probe.spec = spec;
  probe.gaps = std::move(found.gaps);
  const auto inlined = std::erase_if(
      places, [](const ModuleSite& place) { return !place.line.inlined_into.empty(); });
  probe.inlined_copies = inlined;
  if (places.empty())
    return fail(ErrorCode::kRefused, "only-inlined",
                "The compiler has put all of " + spec.location +
                    " into its callers, or what it begins with into it: no place of its own is at "
                    "its beginning.",
                "Log it: `nohalt log` shows inlined copies too.");
  for (std::size_t i = 0; i < places.size(); ++i)
    NOHALT_CHECK(
        add_function(probe, modules, places[i], view, taken, options, places.size() - 1 - i));
  return probe;
}

}  // namespace nohalt::session
