// Arming, in an order in which every step may be the last:
//   lock, look, choose and place (nothing is touched);
//   borrow a thread, compare with the Grant once more;
//   control region, gate page, code: mapped, named, dormant;
//   the pages, one swap each: the jumps are in, the gate is closed;
//   the gate opens when the tool's pump turns the probes on.
// A failure unwinds what was done; a killed tool leaves dormant code that any
// later run finds by the names of its mappings.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "policy/audit/digest.h"
#include "probes/engines/inline/fault_handlers.h"
#include "probes/engines/inline/found_runs.h"
#include "probes/engines/inline/inline_run.h"
#include "probes/engines/inline/install.h"
#include "probes/engines/inline/pages/room.h"
#include "probes/engines/inline/pages/written_text.h"
#include "probes/engines/inline/tsc_allowed.h"
#include "probes/engines/inline/unloading.h"
#include "probes/target/attachable.h"
#include "probes/target/remote_thread.h"
#include "probes/target/saved_context.h"
#include "probes/target/target_lock.h"
#include "probes/target/watchdog.h"

namespace nohalt::engines {

namespace {

using target::RemoteThread;

std::unexpected<Error> target_changed() {
  return fail(ErrorCode::kDenied, "target-changed",
              "The process is not the one that was allowed to be probed any more.",
              "Run the command again, so that it is decided anew.");
}

// The facts that a Grant binds, as they are now. The build id is that of the
// symbols by which the places were found.
Status check_grant(const policy::Grant& grant, const target::Process& process,
                   const RunToArm& run) {
  NOHALT_TRY(const target::Process now, target::Process::open(process.pid()));
  const policy::TargetFacts& granted = grant.target();
  const target::ProcessFacts& facts = now.facts();
  const bool same = now.identity() == granted.identity && facts.uids == granted.uids &&
                    facts.gids == granted.gids && facts.exe_device == granted.exe_device &&
                    facts.exe_inode == granted.exe_inode && facts.exe_path == granted.exe_path &&
                    run.files.front().info->build_id() == granted.build_id;
  if (!same || program_hash(run) != grant.program_hash()) return target_changed();
  return {};
}

Status check_no_other_run(const target::Maps& maps, const target::Memory& memory,
                          const RunPlaces& places) {
  for (const FoundControl& other : find_controls(maps, memory)) {
    for (std::uint32_t i = 0; i < other.claims.page_count; ++i) {
      const RuntimeAddress page{other.claims.pages[i].page};
      if (std::find(places.pages.begin(), places.pages.end(), page) == places.pages.end()) continue;
      const std::string who =
          "run " + other.run.id + " (nohalt, pid " + std::to_string(other.run.tool.pid) + ")";
      if (is_orphan(other.run))
        return fail(ErrorCode::kAlreadyProbed, "left-by-dead-run",
                    "This page of the target's code still carries what " + who + " left.",
                    "Run `nohalt sweep` and try again.");
      return fail(ErrorCode::kAlreadyProbed, "already-probed",
                  "This page of the target's code is probed by " + who + ".",
                  "Wait until that run ends, or choose a place in another function.");
    }
  }
  return {};
}

Result<std::vector<CodeSite>> choose_sites(const TargetView& view, const RunToArm& run) {
  std::vector<CodeSite> sites;
  std::vector<TakenBytes> taken;
  for (const SiteToArm& site : run.sites) {
    CodeSite chosen;
    if (site.role == SiteRole::kStatement) {
      NOHALT_TRY(chosen.chosen, choose_site(view, site.file, site.line, taken, site.stops));
    } else {
      NOHALT_TRY(chosen.chosen, choose_exact_site(view, site.file, site.line, taken, site.behind));
    }
    const SitePlan& plan = chosen.chosen.plan;
    if (!plan.patchable())
      return fail(ErrorCode::kRefused, plan.refusal, plan.refusal_text, plan.refusal_hint);
    taken.push_back(chosen.chosen.taken());
    chosen.program = &site.program;
    chosen.calls_of = leader_of(run, site.probe);
    // What returns is counted apart: its probe's numbers are those of the calls.
    chosen.leader =
        site.role == SiteRole::kReturn ? static_cast<std::uint32_t>(sites.size()) : chosen.calls_of;
    sites.push_back(std::move(chosen));
  }
  return sites;
}

Status check_programs(const TargetView& view, const RunToArm& run) {
  for (const SiteToArm& site : run.sites) {
    const auto verified = program::verify(site.program);
    if (!verified) return std::unexpected(program::to_error(verified.error()));
    NOHALT_CHECK(check_reads(view.reads, verified->cost));
  }
  return {};
}

Result<records::RunLayout> lay_out(const RunToArm& run, std::uint64_t generation) {
  std::vector<records::SiteNeeds> needs;
  for (const SiteToArm& site : run.sites) {
    needs.push_back({site.program.record_size, run.probes[site.probe].hits_per_second});
  }
  return records::plan_layout(generation, needs);
}

Status check_pages(const target::Process& process, const target::Memory& memory,
                   const RunPlaces& places) {
  for (std::size_t i = 0; i < places.pages.size(); ++i) {
    const bool in_place = places.slots[i] == inline_pages::kWrittenInPlace;
    const auto original = in_place
                              ? inline_pages::prove_text_page(process, memory, places.pages[i])
                              : inline_pages::prove_file_page(process, memory, places.pages[i]);
    if (!original) return std::unexpected(original.error());
  }
  return {};
}

Status check_demand(const target::Process& process, const target::Maps& maps,
                    const RunPlaces& places) {
  inline_pages::Demand demand;
  const auto swapped = static_cast<std::uint64_t>(
      std::count_if(places.slots.begin(), places.slots.end(),
                    [](RuntimeAddress slot) { return slot != inline_pages::kWrittenInPlace; }));
  demand.mappings = 2 + places.chunks.size() + swapped * inline_pages::kMappingsPerPage;
  demand.bytes = places.control.size() + kPageSize + places.pages.size() * kPageSize;
  for (const RuntimeRange& chunk : places.chunks) demand.bytes += chunk.size();
  return inline_pages::check_room(process, maps, demand);
}

// What is known before anybody is stopped of whether that may be done, for sites that
// need it.
Status check_stop(const policy::Grant& grant, const target::Process& process,
                  const TargetView& view, std::span<const CodeSite> sites) {
  const bool needed = std::any_of(sites.begin(), sites.end(),
                                  [](const CodeSite& site) { return site.chosen.plan.needs_stop; });
  if (!needed) return {};
  const auto expected = target::expected_stand_still(view.threads);
  if (expected > grant.limits().hold)
    return fail(
        ErrorCode::kDenied, "hold-limit",
        fmt::format("Stopping the {} threads of the process is expected to take {} us, and "
                    "{} allows a hold of {} us.",
                    view.threads, expected.count(), grant.rule(), grant.limits().hold.count()),
        "Choose a place that needs no stop (`nohalt plan` tells), or ask for a longer "
        "hold where the policy allows it: --allow-stop=TIME.");
  const bool has_windows = std::any_of(sites.begin(), sites.end(), [](const CodeSite& site) {
    return site.chosen.window->kind == inline_sites::WindowKind::kSeveral;
  });
  if (!has_windows || !target::may_put_contexts_aside(process.pid(), view.maps)) return {};
  return fail(ErrorCode::kRefused, "saved-contexts",
              "The process may keep contexts of its own that lie between the instructions which "
              "the jump covers: it catches signals and switches contexts.",
              "Choose a place that needs no stop; `nohalt plan` tells.");
}

bool relies_on_one_shot_handler(std::span<const CodeSite> sites) {
  return std::any_of(sites.begin(), sites.end(), [](const CodeSite& site) {
    return site.chosen.plan.relies_on_one_shot_fault_handler;
  });
}

// The last looks, now that the process cannot become another unseen, and the work.
// `reporters`: the sites rely on what handlers for faults do.
Result<InstalledRun> install_granted(RemoteThread& thread, const policy::Grant& grant,
                                     const RunToArm& run, const InstallPlan& plan,
                                     const std::optional<FaultReporters>& reporters) {
  NOHALT_CHECK(check_grant(grant, thread.process(), run));
  NOHALT_CHECK(check_tsc_allowed(thread));
  if (reporters) NOHALT_CHECK(check_fault_handlers(thread, *reporters));
  NOHALT_TRY(InstalledRun installed, install(thread, plan));
  installed.before = plan.view.maps;
  return installed;
}

// `holds` grows by what this attempt held, whether it succeeds or not.
Result<InstalledRun> arm_once(const policy::Grant& grant, const target::Process& process,
                              const RunToArm& run, const std::string& run_id,
                              target::HoldReport& holds) {
  std::uint64_t generation = 0;
  std::from_chars(run_id.data(), run_id.data() + run_id.size(), generation, 16);
  NOHALT_TRY(const target::TargetLock lock, target::TargetLock::acquire(process));
  NOHALT_CHECK(target::check_attachable(process));
  NOHALT_TRY(const TargetView view, look_at(process, run.files));
  NOHALT_TRY(const std::vector<CodeSite> sites, choose_sites(view, run));
  NOHALT_TRY(const records::RunLayout layout, lay_out(run, generation));
  NOHALT_TRY(const RunPlaces places, place_run(view, sites, layout.region_size));
  NOHALT_CHECK(check_no_other_run(view.maps, lock.memory(), places));
  NOHALT_CHECK(check_pages(process, lock.memory(), places));
  NOHALT_CHECK(check_libraries(view, lock.memory(), run));
  NOHALT_CHECK(check_demand(process, view.maps, places));
  NOHALT_CHECK(check_grant(grant, process, run));
  NOHALT_CHECK(check_programs(view, run));
  NOHALT_CHECK(check_stop(grant, process, view, sites));

  std::optional<FaultReporters> reporters;
  if (relies_on_one_shot_handler(sites))
    reporters = known_fault_reporters(*run.files.front().info, view.images.front().bias);

  const target::BeforeOthers quickly;
  NOHALT_TRY(RemoteThread thread, RemoteThread::borrow(process, lock, &holds));
  auto installed = install_granted(thread, grant, run,
                                   {view, places, sites, layout, grant.limits().hold}, reporters);
  const Status finished = thread.finish();
  holds.add(thread.holds());
  if (!installed) return installed;
  NOHALT_CHECK(finished);
  installed->id = run_id;
  installed->holds = holds;
  return installed;
}

// Whether an attempt that failed left anything of the run behind.
bool left_something(const target::Process& process, const std::string& run_id) {
  const auto runs = find_runs(process);
  return runs && std::any_of(runs->begin(), runs->end(),
                             [&](const FoundRun& run) { return run.id == run_id; });
}

}  // namespace

std::uint32_t leader_of(const RunToArm& run, std::uint32_t probe) {
  const auto first = std::find_if(run.sites.begin(), run.sites.end(),
                                  [&](const SiteToArm& site) { return site.probe == probe; });
  return static_cast<std::uint32_t>(first - run.sites.begin());
}

std::string program_hash(const RunToArm& run) {
  std::string text;
  for (const SiteToArm& site : run.sites) {
    text += run.files[site.file].info->build_id() + ' ' + std::to_string(site.line.pc.value) + ' ' +
            std::to_string(site.probe) + ' ' + std::to_string(site.program.record_size) +
            (site.behind ? " behind" : "") +
            (site.stops == StopRule::kNever ? "\n" : " with a stop\n");
    const auto code = std::as_bytes(std::span(site.program.code));
    text.append(reinterpret_cast<const char*>(code.data()), code.size());
  }
  return policy::sha256_hex(text);
}

Result<std::unique_ptr<ArmedRun>> arm(const policy::Grant& grant, const target::Process& process,
                                      const RunToArm& run, const ArmOptions& options) {
  NOHALT_TRY(auto clock, records::TscClock::calibrate());
  target::HoldReport holds;
  for (int attempt = 1;; ++attempt) {
    auto installed = arm_once(grant, process, run, options.run_id, holds);
    if (installed)
      return std::make_unique<InlineRun>(process, std::move(*installed), std::move(clock), run,
                                         grant.limits());
    const bool lost = target::session_was_lost(installed.error());
    if (lost || left_something(process, options.run_id)) {
      NOHALT_TRY(const RecoverReport report,
                 recover_with(process, options.run_id, grant.limits().hold));
      holds.add(report.holds);
    }
    if (lost && attempt < kSessionAttempts) continue;
    // Whatever a step met, it may have been the end of the process.
    if (installed.error().code == ErrorCode::kInternal) NOHALT_CHECK(process.check_alive());
    return std::unexpected(installed.error());
  }
}

}  // namespace nohalt::engines
