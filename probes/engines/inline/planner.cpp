// The window at the statement's first instruction; failing that, at another
// instruction of the statement that sees the same (same_values.h). Last come the
// windows for which all threads have to be stopped, at the same places in turn.
//
// Fault handlers. A displaced instruction that faults does so at another pc, and
// a handler may know pcs (a runtime that recovers from faults by table). Whether
// the process has such a handler shows in /proc, but not which kind: a site that
// would be fine but for this is planned on the condition that the handler is
// one-shot (SA_RESETHAND), as crash reporters are and recovering runtimes cannot
// be. The condition is asked of the kernel while arming, before anything is
// written.
#include "probes/engines/inline/planner.h"

#include <fmt/format.h>

#include <algorithm>

#include "probes/engines/inline/function_of_site.h"
#include "probes/engines/inline/same_values.h"
#include "probes/engines/inline/sites/alternatives.h"
#include "probes/engines/inline/sites/function_code.h"
#include "probes/engines/inline/sites/listing.h"
#include "probes/target/stand_still.h"

namespace nohalt::engines {

namespace {

using inline_sites::FunctionCode;
using inline_sites::SiteContext;
using inline_sites::Window;
using inline_sites::WindowKind;

SiteContext context_of(const TargetView& view, const MappedImage& image,
                       std::span<const inline_sites::ProbeBytes> taken, bool fault_handlers_matter,
                       bool allow_stop) {
  SiteContext context;
  context.target = view.traits;
  context.target.restartable_sequences = image.restartable_sequences;
  if (!fault_handlers_matter) {
    context.target.handles_memory_faults = false;
    context.target.handles_arithmetic_faults = false;
  }
  context.other_probes = taken;
  context.placeable = [&view, bias = image.bias](const inline_sites::JumpForm& form,
                                                 LinkAddress at) {
    return has_springboard_room(view, form, bias.to_runtime(at));
  };
  context.allow_eviction = true;
  context.allow_stop = allow_stop;
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
    case WindowKind::kSeveral:
      return "several-instructions";
  }
  return "";
}

void accept(ChosenSite& chosen, const TargetView& view, const Window& window,
            bool one_shot_handler) {
  chosen.plan.patched = window.address;
  chosen.plan.window = kind_name(window.kind);
  LinkAddress at = window.address;
  chosen.plan.listing.clear();
  for (const inline_sites::Instruction& instruction : window.displaced) {
    if (at != window.address) chosen.plan.listing += "; ";
    chosen.plan.listing += inline_sites::listing(instruction.code(), chosen.bias.to_runtime(at));
    at = at + instruction.length;
  }
  chosen.plan.changed_bytes = window.changed;
  chosen.plan.relies_on_one_shot_fault_handler = one_shot_handler;
  const bool may_be_unloaded = !view.images[chosen.image].is_lasting;
  chosen.plan.needs_stop = window.kind == WindowKind::kSeveral || may_be_unloaded;
  if (chosen.plan.needs_stop) {
    chosen.plan.threads = view.threads;
    chosen.plan.expected_hold = target::expected_stand_still(view.threads);
  }
  chosen.window = window;
}

// One search through a statement's places.
class Search {
 public:
  Search(const TargetView& view, const FunctionCode& code,
         std::span<const inline_sites::ProbeBytes> taken, std::uint64_t padding = 0)
      : view_(view), code_(code), taken_(taken), padding_(padding) {}

  // Whether a window was found there; else what stands in the way of any handler.
  std::optional<inline_sites::SiteRefusal> try_at(ChosenSite& chosen, LinkAddress at,
                                                  bool allow_stop) const {
    const MappedImage& image = view_.images[chosen.image];
    const auto choose = [&](bool fault_handlers_matter) {
      SiteContext context = context_of(view_, image, taken_, fault_handlers_matter, allow_stop);
      context.padding = padding_;
      return inline_sites::choose_window(code_, at, context);
    };
    auto window = choose(true);
    const bool one_shot_handler = !window;
    if (!window) window = choose(false);
    if (!window) return window.error();
    accept(chosen, view_, *window, one_shot_handler);
    return std::nullopt;
  }

 private:
  const TargetView& view_;
  const FunctionCode& code_;
  std::span<const inline_sites::ProbeBytes> taken_;
  std::uint64_t padding_;
};

void refuse(ChosenSite& chosen, inline_sites::SiteRefusal refusal) {
  const auto& words = inline_sites::describe(refusal);
  chosen.window.reset();
  chosen.plan.window.clear();
  chosen.plan.patched = chosen.plan.pc;
  chosen.plan.refusal = words.token;
  chosen.plan.refusal_text = words.sentence;
  chosen.plan.refusal_hint = words.hint;
}

// What is to be chosen in this file; refused already where nothing can be.
ChosenSite begin_choice(const TargetView& view, std::size_t image, LinkAddress pc) {
  ChosenSite chosen;
  chosen.plan.pc = chosen.plan.patched = pc;
  chosen.image = image;
  chosen.bias = view.images[image].bias;
  if (!view.images[image].is_mapped) refuse(chosen, inline_sites::SiteRefusal::kNotMappedOnce);
  return chosen;
}

std::vector<inline_sites::ProbeBytes> taken_in(std::span<const TakenBytes> all, std::size_t image) {
  std::vector<inline_sites::ProbeBytes> taken;
  for (const TakenBytes& each : all)
    if (each.image == image) taken.push_back(each.bytes);
  return taken;
}

ChosenSite under_rule(ChosenSite chosen, const TargetView& view, StopRule stops) {
  const bool forbidden = chosen.plan.needs_stop && stops == StopRule::kNever;
  if (!forbidden) return chosen;
  refuse(chosen, view.images[chosen.image].is_lasting ? inline_sites::SiteRefusal::kNeedsStop
                                                      : inline_sites::SiteRefusal::kMayBeUnloaded);
  chosen.plan.refusal_hint = fmt::format(
      "--allow-stop places it; it would hold {} thread{} for about {} us.", chosen.plan.threads,
      chosen.plan.threads == 1 ? "" : "s", chosen.plan.expected_hold.count());
  return chosen;
}

}  // namespace

bool has_springboard_room(const TargetView& view, const inline_sites::JumpForm& form,
                          RuntimeAddress at) {
  const auto reach = inline_sites::reachable(form, at);
  const inline_sites::Spacing apart = inline_sites::spacing(form, at);
  return reach && view.space.has_room(*reach, kSpringboardSize, apart.alignment, apart.remainder);
}

Result<ChosenSite> choose_site(const TargetView& view, std::size_t image,
                               const symbols::LineSite& site, std::span<const TakenBytes> all_taken,
                               StopRule stops) {
  ChosenSite chosen = begin_choice(view, image, site.pc);
  if (!chosen.plan.patchable()) return chosen;
  const symbols::DebugInfo& info = *view.images[image].info;
  const auto taken = taken_in(all_taken, image);
  NOHALT_TRY(const SiteFunction function, function_of_site(info, site));
  const FunctionCode& code = function.code;
  const Search search(view, code, taken);
  std::optional<inline_sites::SiteRefusal> refusal;
  const LinkRange statement[] = {site.statement};
  for (const bool allow_stop : {false, true}) {
    refusal = search.try_at(chosen, site.pc, allow_stop);
    if (!refusal) break;
    for (const auto& other : inline_sites::alternative_sites(code, site.pc, statement)) {
      if (!sees_same_values(info, site.pc, other)) continue;
      if (!search.try_at(chosen, other.pc, allow_stop))
        return under_rule(std::move(chosen), view, stops);
    }
  }
  if (refusal) refuse(chosen, *refusal);
  return under_rule(std::move(chosen), view, stops);
}

namespace {

// Nobody's bytes behind a return.
std::uint64_t free_padding(const symbols::DebugInfo& info, const FunctionCode& code,
                           LinkAddress at) {
  const std::uint64_t size = code.padding_behind(at);
  const inline_sites::PlacedInstruction* last = code.at(at);
  if (size == 0 || last == nullptr) return 0;
  const LinkRange beyond{std::max(last->end(), code.range().end), last->end() + size};
  return beyond.begin < beyond.end && !info.is_between_functions(beyond) ? 0 : size;
}

ChosenSite choose_at(const TargetView& view, std::size_t image, const FunctionCode& code,
                     LinkAddress at, std::span<const TakenBytes> taken, bool behind) {
  ChosenSite chosen = begin_choice(view, image, at);
  if (!chosen.plan.patchable()) return chosen;
  const auto here = taken_in(taken, image);
  const Search search(view, code, here, free_padding(*view.images[image].info, code, at));
  if (const auto refusal = search.try_at(chosen, at, false)) refuse(chosen, *refusal);
  chosen.behind = behind;
  return under_rule(std::move(chosen), view, StopRule::kNever);
}

ChosenReturn choose_return(const TargetView& view, std::size_t image, const FunctionCode& code,
                           const symbols::LineSite& part, const inline_sites::FunctionExit& exit,
                           LinkAddress entry, std::span<const TakenBytes> taken) {
  ChosenReturn found;
  found.chosen = begin_choice(view, image, exit.at);
  refuse(found.chosen, inline_sites::SiteRefusal::kOtherProbe);
  for (const inline_sites::ReturnSpot& spot : exit.spots) {
    // Before the entry's place is before the call is known of.
    if (part.function_range.contains(entry) && spot.pc <= entry) continue;
    found.chosen = choose_at(view, image, code, spot.pc, taken, spot.behind);
    found.frame = spot.frame;
    if (found.chosen.plan.patchable()) break;
  }
  found.at = exit.at;
  found.line = part;
  found.line.pc = found.chosen.plan.patched;
  found.line.statement = {found.line.pc, found.line.pc + 1};
  return found;
}

// Places behind `first` that a call comes by as it does by `first`, with the same values: pushes
// write below all that is visible.
std::vector<inline_sites::Alternative> later_entries(const FunctionCode& code, LinkAddress first) {
  constexpr std::size_t kMost = 24;
  std::vector<inline_sites::Alternative> found;
  inline_sites::Alternative next;
  const inline_sites::PlacedInstruction* placed = code.at(first);
  while (placed != nullptr && code.all_branches_known() && found.size() < kMost) {
    const inline_sites::Instruction& instruction = placed->instruction;
    const bool is_push = instruction.memory == inline_sites::MemoryUse::kStack &&
                         instruction.flow == inline_sites::Flow::kNext;
    if (instruction.flow != inline_sites::Flow::kNext || (instruction.writes_memory && !is_push))
      break;
    if (instruction.has(inline_sites::Trait::kSystemCall) ||
        instruction.has(inline_sites::Trait::kTrap))
      break;
    next.general_written =
        static_cast<std::uint16_t>(next.general_written | instruction.writes_general);
    next.vector_written = next.vector_written || instruction.writes_vector;
    next.pc = placed->end();
    placed = code.at(next.pc);
    if (placed == nullptr || !inline_sites::frame_at_entry(code, next.pc)) break;
    found.push_back(next);
  }
  return found;
}

// Where the function's statement has no room for a jump, what follows may have.
Result<ChosenSite> choose_entry(const TargetView& view, std::size_t image,
                                const symbols::LineSite& function,
                                std::span<const TakenBytes> taken) {
  NOHALT_TRY(ChosenSite chosen, choose_site(view, image, function, taken));
  if (chosen.plan.patchable() || !begin_choice(view, image, function.pc).plan.patchable())
    return chosen;
  const symbols::DebugInfo& info = *view.images[image].info;
  NOHALT_TRY(const SiteFunction around, function_of_site(info, function));
  const FunctionCode& code = around.code;
  for (const inline_sites::Alternative& later : later_entries(code, function.pc)) {
    if (!sees_same_values(info, function.pc, later)) continue;
    ChosenSite other = choose_at(view, image, code, later.pc, taken, false);
    if (other.plan.patchable()) return other;
  }
  return chosen;
}

// The function's place in each of its parts.
std::vector<symbols::LineSite> parts_of(const symbols::LineSite& function) {
  std::vector<LinkRange> ranges = function.other_pieces;
  ranges.insert(ranges.begin(), function.function_range);
  std::vector<symbols::LineSite> parts;
  for (const LinkRange& range : ranges) {
    symbols::LineSite part = function;
    part.function_range = range;
    if (!range.contains(part.pc)) part.pc = range.begin;
    part.other_pieces.clear();
    for (const LinkRange& other : ranges)
      if (!(other == range)) part.other_pieces.push_back(other);
    parts.push_back(std::move(part));
  }
  return parts;
}

}  // namespace

Result<ChosenSite> choose_exact_site(const TargetView& view, std::size_t image,
                                     const symbols::LineSite& site,
                                     std::span<const TakenBytes> taken, bool behind) {
  NOHALT_TRY(const SiteFunction function, function_of_site(*view.images[image].info, site));
  return choose_at(view, image, function.code, site.pc, taken, behind);
}

Result<ChosenCalls> choose_calls(const TargetView& view, std::size_t image,
                                 const symbols::LineSite& function, std::vector<TakenBytes>& taken,
                                 std::size_t most) {
  const symbols::DebugInfo& info = *view.images[image].info;
  ChosenCalls calls;
  calls.line = function;
  NOHALT_TRY(calls.entry, choose_entry(view, image, function, taken));
  if (!calls.entry.plan.patchable()) return calls;
  calls.line.pc = calls.entry.plan.patched;
  NOHALT_TRY(const SiteFunction around_entry, function_of_site(info, calls.line));
  const FunctionCode& entry_code = around_entry.code;
  const auto frame = inline_sites::frame_at_entry(entry_code, calls.line.pc);
  if (!frame) {
    refuse(calls.entry, inline_sites::SiteRefusal::kRunsAgain);
    return calls;
  }
  calls.frame = *frame;
  // The window need not be the one that was found among the statement's places.
  calls.entry = choose_at(view, image, entry_code, calls.line.pc, taken, false);
  if (!calls.entry.plan.patchable() || most == 0) return calls;
  taken.push_back(calls.entry.taken());
  std::size_t left = most - 1;
  for (const symbols::LineSite& part : parts_of(function)) {
    NOHALT_TRY(const SiteFunction around, function_of_site(info, part));
    const FunctionCode& code = around.code;
    calls.tail_calls += inline_sites::count_tail_calls(code, part.other_pieces);
    auto exits = inline_sites::function_exits(code);
    // What has room without borrowing its neighbours' bytes leaves them to the others.
    std::ranges::stable_partition(exits, [&](const inline_sites::FunctionExit& exit) {
      return 1 + code.padding_behind(exit.at) >= inline_sites::kJumpLength;
    });
    for (const inline_sites::FunctionExit& exit : exits) {
      ChosenReturn found = choose_return(view, image, code, part, exit, calls.line.pc, taken);
      if (found.chosen.plan.patchable() && left == 0)
        refuse(found.chosen, inline_sites::SiteRefusal::kTooManySites);
      if (found.chosen.plan.patchable()) {
        taken.push_back(found.chosen.taken());
        --left;
      }
      calls.returns.push_back(std::move(found));
    }
  }
  return calls;
}

}  // namespace nohalt::engines
