// The window at the statement's first instruction; failing that, at another
// instruction of the statement that sees the same (same_values.h).
//
// Fault handlers. A displaced instruction that faults does so at another pc, and
// a handler may know pcs (a runtime that recovers from faults by table). Whether
// the process has such a handler shows in /proc, but not which kind: a site that
// would be fine but for this is planned on the condition that the handler is
// one-shot (SA_RESETHAND), as crash reporters are and recovering runtimes cannot
// be. The condition is asked of the kernel while arming, before anything is
// written.
#include "probes/engines/inline/planner.h"

#include <algorithm>

#include "probes/engines/inline/same_values.h"
#include "probes/engines/inline/sites/alternatives.h"
#include "probes/engines/inline/sites/function_code.h"
#include "probes/engines/inline/sites/listing.h"

namespace nohalt::engines {

namespace {

using inline_sites::FunctionCode;
using inline_sites::SiteContext;
using inline_sites::Window;
using inline_sites::WindowKind;

// Bytes past a function's end that a punned jump may borrow.
constexpr std::uint64_t kTail = 16;

inline_sites::ReadData reader(const symbols::DebugInfo& info) {
  return [&info](LinkAddress at, std::span<std::uint8_t> to) {
    const auto bytes = info.read_bytes(at, to.size());
    if (!bytes || bytes->size() != to.size()) return false;
    std::copy(bytes->begin(), bytes->end(), to.begin());
    return true;
  };
}

// What leads from another part of the function into the one that `input` is for:
// compilers put what runs seldom elsewhere (.text.unlikely), and it comes back.
void add_branches_from(const symbols::DebugInfo& info, const LinkRange& part,
                       inline_sites::FunctionInput& input) {
  const auto text = info.read_bytes(part.begin, part.size());
  inline_sites::FunctionInput other;
  if (text) other.text = *text;
  other.text_address = part.begin;
  other.range = part;
  const FunctionCode code = FunctionCode::decode(other);
  if (!text || !code.complete() || code.has_indirect_jump()) input.may_be_entered_elsewhere = true;
  for (const LinkAddress target : code.branches_out())
    if (input.range.contains(target)) input.branch_targets.push_back(target);
}

Result<FunctionCode> decode_function(const symbols::DebugInfo& info,
                                     const symbols::LineSite& site) {
  const LinkRange range = site.function_range;
  auto text = info.read_bytes(range.begin, range.size() + kTail);
  if (!text) {
    NOHALT_TRY(auto exact, info.read_bytes(range.begin, range.size()));
    text = std::move(exact);
  }
  inline_sites::FunctionInput input;
  input.text = *text;
  input.text_address = range.begin;
  input.range = range;
  input.known_starts = {site.pc};
  if (auto pads = info.landing_pads(range)) input.branch_targets = std::move(*pads);
  for (const LinkRange& part : site.other_pieces) add_branches_from(info, part, input);
  input.read_data = reader(info);
  return FunctionCode::decode(input);
}

SiteContext context_of(const TargetView& view, std::span<const inline_sites::ProbeBytes> taken,
                       bool fault_handlers_matter) {
  SiteContext context;
  context.target = view.traits;
  if (!fault_handlers_matter) {
    context.target.handles_memory_faults = false;
    context.target.handles_arithmetic_faults = false;
  }
  context.other_probes = taken;
  context.placeable = [&view](const inline_sites::JumpForm& form, LinkAddress at) {
    return has_springboard_room(view, form, view.executable.bias.to_runtime(at));
  };
  context.allow_eviction = true;
  return context;
}

std::string_view kind_name(WindowKind kind) {
  switch (kind) {
    case WindowKind::kJump:
      return "one-instruction";
    case WindowKind::kPunnedJump:
      return "punned";
    case WindowKind::kEvicted:
      return "evicted";
  }
  return "";
}

void accept(ChosenSite& chosen, const TargetView& view, const Window& window,
            bool one_shot_handler) {
  chosen.plan.patched = window.address;
  chosen.plan.window = kind_name(window.kind);
  chosen.plan.listing = inline_sites::listing(window.displaced.front().code(),
                                              view.executable.bias.to_runtime(window.address));
  chosen.plan.changed_bytes = window.changed;
  chosen.plan.relies_on_one_shot_fault_handler = one_shot_handler;
  chosen.window = window;
}

bool try_at(ChosenSite& chosen, const TargetView& view, const FunctionCode& code, LinkAddress at,
            std::span<const inline_sites::ProbeBytes> taken,
            std::optional<inline_sites::SiteRefusal>& why_not) {
  auto window = inline_sites::choose_window(code, at, context_of(view, taken, true));
  if (window) {
    accept(chosen, view, *window, false);
    return true;
  }
  window = inline_sites::choose_window(code, at, context_of(view, taken, false));
  if (!window) {
    why_not = window.error();  // what stands in the way of any handler
    return false;
  }
  accept(chosen, view, *window, true);
  return true;
}

}  // namespace

bool has_springboard_room(const TargetView& view, const inline_sites::JumpForm& form,
                          RuntimeAddress at) {
  const auto reach = inline_sites::reachable(form, at);
  const inline_sites::Spacing apart = inline_sites::spacing(form, at);
  return reach && view.space.has_room(*reach, kSpringboardSize, apart.alignment, apart.remainder);
}

Result<ChosenSite> choose_site(const TargetView& view, const symbols::DebugInfo& info,
                               const symbols::LineSite& site,
                               std::span<const inline_sites::ProbeBytes> taken) {
  ChosenSite chosen;
  chosen.plan.pc = chosen.plan.patched = site.pc;
  NOHALT_TRY(const FunctionCode code, decode_function(info, site));
  std::optional<inline_sites::SiteRefusal> first_refusal;
  if (try_at(chosen, view, code, site.pc, taken, first_refusal)) return chosen;
  const LinkRange statement[] = {site.statement};
  for (const auto& other : inline_sites::alternative_sites(code, site.pc, statement)) {
    if (!sees_same_values(info, site.pc, other)) continue;
    std::optional<inline_sites::SiteRefusal> ignored;
    if (try_at(chosen, view, code, other.pc, taken, ignored)) return chosen;
  }
  const auto& words = inline_sites::describe(*first_refusal);
  chosen.plan.refusal = words.token;
  chosen.plan.refusal_text = words.sentence;
  chosen.plan.refusal_hint = words.hint;
  return chosen;
}

}  // namespace nohalt::engines
