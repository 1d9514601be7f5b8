// Judges every line of a running process as `nohalt plan` would, and counts.
//
//   site_census PID NAME ANY ALL STOP_ANY STOP_ALL [STRIDE]
//
// Fails where fewer than ANY per cent of the lines that have code can be probed at
// some place with nobody stopped, or fewer than ALL at all their places, or fewer than
// STOP_ANY and STOP_ALL where all threads may be stopped; and where
// a place is refused, threads stopped or not, for a reason that is not one of kExpected. Looks at
// each STRIDE-th line only (1 unless given). Touches nothing.
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <set>
#include <string>

#include "probes/engines/inline/planner.h"

namespace {

using nohalt::engines::ChosenSite;
using nohalt::engines::StopRule;
using nohalt::engines::TargetView;
using nohalt::symbols::DebugInfo;

// Why a place of these services may be refused: it changes memory that is shared, in
// one step; it raises a trap; the bytes lie on two pages; or nothing free lies where the bytes that
// must stay send a jump, and a branch leads, a call returns or control leaves before there is room
// for a jump over several instructions.
const std::set<std::string> kExpected = {"lock-prefix",        "trap-instruction",  "crosses-page",
                                         "branch-into-window", "unknown-branches",  "call-not-last",
                                         "window-too-short",   "no-trampoline-room"};

struct Shares {
  double any = 0, all = 0, stop_any = 0, stop_all = 0;
};

struct Counts {
  std::size_t lines = 0, any = 0, all = 0;
  // Of them, those that need no promise of the target's about its fault handler.
  std::size_t strict_any = 0, strict_all = 0;
  std::size_t stop_any = 0, stop_all = 0;  // with a stop, where there is no other way
  std::size_t sites = 0, moved = 0, one_shot = 0;
  std::map<std::string, std::size_t> windows;
  std::map<std::string, std::size_t> refusals;
  std::map<std::string, std::string> examples;  // of what is refused or needs a stop
};

double share(std::size_t part, std::size_t whole) {
  return whole == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

void count(Counts& counts, const ChosenSite& site, const std::string& line) {
  ++counts.sites;
  if (!site.plan.patchable()) {
    ++counts.refusals[site.plan.refusal];
    counts.examples[site.plan.refusal] = line;
    return;
  }
  ++counts.windows[site.plan.window];
  if (site.plan.needs_stop) counts.examples[site.plan.window] = line;
  if (site.plan.patched != site.plan.pc) ++counts.moved;
  if (site.plan.relies_on_one_shot_fault_handler) ++counts.one_shot;
}

bool judge_line(const TargetView& view, const std::string& line, Counts& counts) {
  const auto place = view.images.front().info->resolve(line);
  if (!place) return false;
  ++counts.lines;
  std::size_t good = 0;
  std::size_t strict = 0;
  std::size_t stopped = 0;
  for (const nohalt::symbols::LineSite& site : place->sites) {
    const auto chosen = nohalt::engines::choose_site(view, 0, site, {}, StopRule::kWhereNeeded);
    if (!chosen) {
      ++counts.sites;
      ++counts.refusals[chosen.error().reason];
      continue;
    }
    count(counts, *chosen, line);
    const bool free = chosen->plan.patchable() && !chosen->plan.needs_stop;
    if (chosen->plan.patchable()) ++stopped;
    if (free) ++good;
    if (free && !chosen->plan.relies_on_one_shot_fault_handler) ++strict;
  }
  if (good > 0) ++counts.any;
  if (good == place->sites.size()) ++counts.all;
  if (stopped > 0) ++counts.stop_any;
  if (stopped == place->sites.size()) ++counts.stop_all;
  if (strict > 0) ++counts.strict_any;
  if (strict == place->sites.size()) ++counts.strict_all;
  return true;
}

void print_shares(const char* what, const std::map<std::string, std::size_t>& counted,
                  std::size_t whole) {
  std::printf("  %s\n", what);
  std::multimap<std::size_t, std::string, std::greater<>> sorted;
  for (const auto& [name, number] : counted) sorted.emplace(number, name);
  for (const auto& [number, name] : sorted)
    std::printf("    %-28s %8zu  %6.2f %%\n", name.c_str(), number, share(number, whole));
}

void print(const char* name, const Counts& counts) {
  std::printf("%s: %zu lines with code, %zu places\n", name, counts.lines, counts.sites);
  std::printf("  lines that can be probed with nobody stopped\n");
  std::printf("    at some place %6.2f %%   at all places %6.2f %%\n",
              share(counts.any, counts.lines), share(counts.all, counts.lines));
  std::printf("    the same, trusting no fault handler %6.2f %%   %6.2f %%\n",
              share(counts.strict_any, counts.lines), share(counts.strict_all, counts.lines));
  std::printf("  lines that can be probed, with a stop where there is no other way\n");
  std::printf("    at some place %6.2f %%   at all places %6.2f %%\n",
              share(counts.stop_any, counts.lines), share(counts.stop_all, counts.lines));
  print_shares("places by window", counts.windows, counts.sites);
  print_shares("places refused", counts.refusals, counts.sites);
  for (const auto& [what, line] : counts.examples)
    std::printf("    %s, for one: %s\n", what.c_str(), line.c_str());
  std::printf("  beside the first instruction %zu, resting on a one-shot handler %zu\n",
              counts.moved, counts.one_shot);
}

// Every line with code, each once.
std::set<std::string> lines_of(const DebugInfo& info) {
  std::set<std::string> lines;
  for (const auto& row : info.statements()) lines.insert(row.file + ":" + std::to_string(row.line));
  return lines;
}

int report(const nohalt::Error& error) {
  std::fprintf(stderr, "%s: %s\n", error.reason.c_str(), error.message.c_str());
  return 2;
}

bool as_expected(const Counts& counts, const Shares& least) {
  bool good = counts.lines > 0;
  if (share(counts.any, counts.lines) < least.any || share(counts.all, counts.lines) < least.all ||
      share(counts.stop_any, counts.lines) < least.stop_any ||
      share(counts.stop_all, counts.lines) < least.stop_all) {
    std::printf("FAILED: fewer than %.0f %% and %.0f %%, or with a stop %.0f %% and %.0f %%\n",
                least.any, least.all, least.stop_any, least.stop_all);
    good = false;
  }
  for (const auto& [reason, number] : counts.refusals) {
    if (kExpected.contains(reason)) continue;
    std::printf("FAILED: %zu places refused by %s\n", number, reason.c_str());
    good = false;
  }
  return good;
}

int take_census(pid_t pid, const char* name, const Shares& least, std::size_t stride) {
  const auto process = nohalt::target::Process::open(pid);
  if (!process) return report(process.error());
  const auto info = DebugInfo::open("/proc/" + std::to_string(pid) + "/exe", name, {});
  if (!info) return report(info.error());
  const auto view =
      nohalt::engines::look_at(*process, std::array{nohalt::engines::ProbedFile{info->get(), {}}});
  if (!view) return report(view.error());
  Counts counts;
  std::size_t unresolved = 0;
  std::size_t index = 0;
  for (const std::string& line : lines_of(**info)) {
    if (index++ % stride == 0 && !judge_line(*view, line, counts)) ++unresolved;
  }
  print(name, counts);
  std::printf("  lines that do not resolve %zu\n", unresolved);
  return as_expected(counts, least) && unresolved == 0 ? 0 : 1;
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 7) {
    std::fprintf(stderr, "usage: site_census PID NAME ANY ALL STOP_ANY STOP_ALL [STRIDE]\n");
    return 2;
  }
  const auto number = [&](int i) { return std::strtod(arguments[i], nullptr); };
  const std::size_t stride = count > 7 ? std::strtoul(arguments[7], nullptr, 10) : 1;
  return take_census(std::atoi(arguments[1]), arguments[2],
                     {number(3), number(4), number(5), number(6)},
                     std::max<std::size_t>(stride, 1));
}
