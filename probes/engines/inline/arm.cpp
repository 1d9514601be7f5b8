// Arming, in an order in which every step may be the last:
//   lock, look, choose and place (nothing is touched);
//   borrow a thread, compare with the Grant once more;
//   control region, gate page, code: mapped, named, dormant;
//   the pages, one swap each: the jumps are in, the gate is closed;
//   the gate opens when the tool's pump turns the probes on.
// A failure unwinds what was done; a killed tool leaves dormant code that any
// later run finds by the names of its mappings.
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <map>

#include "policy/audit/digest.h"
#include "probes/engines/inline/code_image.h"
#include "probes/engines/inline/fault_handlers.h"
#include "probes/engines/inline/found_runs.h"
#include "probes/engines/inline/inline_run.h"
#include "probes/engines/inline/pages/region.h"
#include "probes/engines/inline/pages/room.h"
#include "probes/engines/inline/tsc_allowed.h"
#include "probes/target/attachable.h"
#include "probes/target/drain.h"
#include "probes/target/remote_thread.h"
#include "probes/target/target_lock.h"
#include "probes/target/thread_numbers.h"

namespace nohalt::engines {

namespace {

using inline_pages::Region;
using inline_pages::RegionMapper;
using target::RemoteThread;

// Where glibc 2.4 and later on x86-64 keep the thread's id, from fs:0 (struct
// pthread, field tid). Believed only where a thread proves it.
constexpr std::uint32_t kGlibcTidOffset = 720;
constexpr std::chrono::milliseconds kDrainPatience{2000};

std::unexpected<Error> target_changed() {
  return fail(ErrorCode::kDenied, "target-changed",
              "The process is not the one that was allowed to be probed any more.",
              "Run the command again, so that it is decided anew.");
}

// The facts that a Grant binds, as they are now. The build id is the session's to
// compare: it comes from the same file as the symbols.
Status check_grant(const policy::Grant& grant, const target::Process& process,
                   const RunToArm& run) {
  NOHALT_TRY(const target::Process now, target::Process::open(process.pid()));
  const policy::TargetFacts& granted = grant.target();
  const target::ProcessFacts& facts = now.facts();
  const bool same = now.identity() == granted.identity && facts.uids == granted.uids &&
                    facts.gids == granted.gids && facts.exe_device == granted.exe_device &&
                    facts.exe_inode == granted.exe_inode;
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

Result<std::vector<CodeSite>> choose_sites(const TargetView& view, const symbols::DebugInfo& info,
                                           const RunToArm& run) {
  std::vector<CodeSite> sites;
  std::vector<inline_sites::ProbeBytes> taken;
  for (const SiteToArm& site : run.sites) {
    CodeSite chosen;
    NOHALT_TRY(chosen.chosen, choose_site(view, info, site.line, taken));
    const SitePlan& plan = chosen.chosen.plan;
    if (!plan.patchable())
      return fail(ErrorCode::kRefused, plan.refusal, plan.refusal_text, plan.refusal_hint);
    taken.push_back(chosen.chosen.window->probe_bytes());
    chosen.program = &site.program;
    chosen.leader = leader_of(run, site.probe);
    sites.push_back(std::move(chosen));
  }
  return sites;
}

Result<records::RunLayout> lay_out(const RunToArm& run, std::uint64_t generation) {
  std::vector<records::SiteNeeds> needs;
  for (const SiteToArm& site : run.sites) {
    needs.push_back({site.program.record_size, run.probes[site.probe].hits_per_second});
  }
  return records::plan_layout(generation, needs);
}

Status check_demand(const target::Process& process, const target::Maps& maps,
                    const RunPlaces& places) {
  inline_pages::Demand demand;
  demand.mappings = 2 + places.chunks.size() + places.pages.size() * inline_pages::kMappingsPerPage;
  demand.bytes = places.control.size() + kPageSize + places.pages.size() * kPageSize;
  for (const RuntimeRange& chunk : places.chunks) demand.bytes += chunk.size();
  return inline_pages::check_room(process, maps, demand);
}

// The offset of the thread id in the C library's control block, where the
// borrowed thread proves it; else 0.
Result<std::uint32_t> prove_tid_offset(RemoteThread& thread) {
  constexpr std::uint64_t kArchGetFs = 0x1003;
  NOHALT_TRY(const RuntimeAddress answer, thread.put_text(""));
  NOHALT_TRY([[maybe_unused]] const std::uint64_t done,
             thread.call("arch_prctl", SYS_arch_prctl, {kArchGetFs, answer.value, 0, 0, 0, 0}));
  NOHALT_TRY(const auto base, thread.memory().read_value<std::uint64_t>(answer));
  const auto tid = thread.memory().read_value<std::int32_t>({base + kGlibcTidOffset});
  const auto self = thread.memory().read_value<std::uint64_t>({base + 16});
  if (!tid || !self || *self != base) return 0;
  target::ThreadNumbers threads(thread.process().pid(), thread.process().facts().namespace_pid);
  return threads.to_tool(*tid) != 0 ? kGlibcTidOffset : 0;
}

void write_claims(const records::ControlRegion& region, const target::Process& process,
                  const RunPlaces& places, const CodeImage& image) {
  runtime::ControlPage& control = region.control();
  control.tool_pid = ::getpid();
  control.tool_start_time = own_start_time();
  control.target_pid = process.pid();
  control.target_start_time = process.identity().start_time;
  control.gate_address = places.gate.value;
  for (std::size_t i = 0; i < places.pages.size(); ++i)
    control.pages[i] = {places.pages[i].value, places.slots[i].value};
  for (std::size_t i = 0; i < places.chunks.size(); ++i)
    control.code[i] = {places.chunks[i].begin.value, places.chunks[i].end.value};
  for (std::size_t i = 0; i < image.patches.size(); ++i)
    control.site_addresses[i] = image.patches[i].address.value;
  control.page_count = static_cast<std::uint32_t>(places.pages.size());
  control.code_count = static_cast<std::uint32_t>(places.chunks.size());
}

// The page with all jumps of this run that lie on it.
inline_pages::PageBytes patched_page(const inline_pages::FilePage& original,
                                     std::span<const SitePatch> patches) {
  inline_pages::PageBytes bytes = original.bytes;
  for (const SitePatch& patch : patches) {
    if (page_floor(patch.address.value) != original.page.value) continue;
    std::memcpy(bytes.data() + (patch.address - original.page), patch.bytes.data(),
                patch.bytes.size());
  }
  return bytes;
}

// Swaps pages in one by one and takes back those that are in when it goes
// without having been kept.
class Swaps {
 public:
  explicit Swaps(RemoteThread& thread) : thread_(thread) {}
  Swaps(const Swaps&) = delete;
  Swaps& operator=(const Swaps&) = delete;
  ~Swaps() { static_cast<void>(undo()); }

  // False where a page could not be put back: it still leads into the code.
  bool undo() {
    bool all_out = true;
    for (const inline_pages::SwappedPage& page : std::exchange(pages_, {}))
      all_out = inline_pages::swap_out(thread_, page).has_value() && all_out;
    return all_out;
  }

  Status add(const inline_pages::FilePage& original, RuntimeAddress slot,
             const inline_pages::PageBytes& changed) {
    NOHALT_TRY(auto page, inline_pages::swap_in(thread_, original, slot, changed));
    pages_.push_back(std::move(page));
    return {};
  }
  std::vector<inline_pages::SwappedPage> keep() { return std::exchange(pages_, {}); }

 private:
  RemoteThread& thread_;
  std::vector<inline_pages::SwappedPage> pages_;
};

// What goes where, decided before anything is touched.
struct Plan {
  const TargetView& view;
  const RunPlaces& places;
  std::span<const CodeSite> sites;
  const records::RunLayout& layout;
};

// All that happens in the target, once it is known what and where.
class Installer {
 public:
  Installer(RemoteThread& thread, const Plan& plan)
      : thread_(thread),
        view_(plan.view),
        places_(plan.places),
        sites_(plan.sites),
        layout_(plan.layout) {}

  Result<InstalledRun> install() {
    NOHALT_TRY(target::Memory memory, target::Memory::open(thread_.process().pid()));
    RegionMapper mapper(thread_);
    NOHALT_TRY(Region control, mapper.map_control(runtime::kControlName, places_.control));
    NOHALT_CHECK(records::ControlRegion::prepare(control.file().get(), layout_));
    NOHALT_TRY(auto shared, records::ControlRegion::map(control.file().get(), layout_));
    NOHALT_TRY(const CodeImage image, build());
    write_claims(shared, thread_.process(), places_, image);
    NOHALT_TRY(Region gate, mapper.map_gate(places_.gate));
    std::vector<Region> code;
    for (const CodeChunk& chunk : image.chunks) {
      NOHALT_TRY(Region region, mapper.map_code(runtime::kCodeName, chunk.range, chunk.bytes));
      code.push_back(std::move(region));
    }
    Swaps swaps(thread_);
    if (const Status live = go_live(swaps, image); !live) {
      if (!swaps.undo() || !has_drained()) {
        control.keep();
        gate.keep();
        for (Region& region : code) region.keep();
      }
      return std::unexpected(live.error());
    }
    control.keep();
    gate.keep();
    for (Region& region : code) region.keep();
    return InstalledRun{.memory = std::move(memory),
                        .region = std::move(shared),
                        .places = places_,
                        .addresses = addresses(image),
                        .pages = swaps.keep(),
                        .id = {},
                        .before = {},
                        .holds = {}};
  }

 private:
  // From the first swap on, threads come into the code.
  Status go_live(Swaps& swaps, const CodeImage& image) {
    for (std::size_t i = 0; i < places_.pages.size(); ++i) {
      NOHALT_TRY(const auto original, inline_pages::prove_file_page(
                                          thread_.process(), thread_.memory(), places_.pages[i]));
      NOHALT_CHECK(swaps.add(original, places_.slots[i], patched_page(original, image.patches)));
    }
    constexpr std::uint32_t kOpen = 1;
    return thread_.memory().write(places_.gate, std::as_bytes(std::span(&kOpen, 1)));
  }

  // Where it cannot be shown that everyone has left, the code stays, dormant and
  // named, for a sweep.
  bool has_drained() {
    const auto empty = target::wait_until_left(thread_, places_.chunks, kDrainPatience);
    return empty && *empty;
  }

  Result<CodeImage> build() {
    TargetConstants constants;
    constants.own_pid = thread_.process().facts().namespace_pid;
    NOHALT_TRY(constants.tid_offset, prove_tid_offset(thread_));
    return build_code(view_, places_, sites_, layout_, constants);
  }

  static std::vector<RuntimeAddress> addresses(const CodeImage& image) {
    std::vector<RuntimeAddress> addresses;
    for (const SitePatch& patch : image.patches) addresses.push_back(patch.address);
    return addresses;
  }

  RemoteThread& thread_;
  const TargetView& view_;
  const RunPlaces& places_;
  std::span<const CodeSite> sites_;
  const records::RunLayout& layout_;
};

bool relies_on_one_shot_handler(std::span<const CodeSite> sites) {
  return std::any_of(sites.begin(), sites.end(), [](const CodeSite& site) {
    return site.chosen.plan.relies_on_one_shot_fault_handler;
  });
}

// The last looks, now that the process cannot become another unseen, and the work.
Result<InstalledRun> install(RemoteThread& thread, const policy::Grant& grant, const RunToArm& run,
                             const Plan& plan) {
  NOHALT_CHECK(check_grant(grant, thread.process(), run));
  NOHALT_CHECK(check_tsc_allowed(thread));
  if (relies_on_one_shot_handler(plan.sites)) NOHALT_CHECK(check_fault_handlers(thread));
  NOHALT_TRY(InstalledRun installed, Installer(thread, plan).install());
  installed.before = plan.view.maps;
  return installed;
}

// `holds` grows by what this attempt held, whether it succeeds or not.
Result<std::unique_ptr<ArmedRun>> arm_once(const policy::Grant& grant,
                                           const target::Process& process,
                                           const symbols::DebugInfo& info, const RunToArm& run,
                                           const ArmOptions& options, target::HoldReport& holds) {
  std::uint64_t generation = 0;
  std::from_chars(options.run_id.data(), options.run_id.data() + options.run_id.size(), generation,
                  16);
  NOHALT_TRY(auto clock, records::TscClock::calibrate());
  NOHALT_TRY(const target::TargetLock lock, target::TargetLock::acquire(process));
  NOHALT_CHECK(target::check_attachable(process));
  NOHALT_TRY(const TargetView view, look_at(process, info));
  NOHALT_TRY(const std::vector<CodeSite> sites, choose_sites(view, info, run));
  NOHALT_TRY(const records::RunLayout layout, lay_out(run, generation));
  NOHALT_TRY(const RunPlaces places, place_run(view, sites, layout.region_size));
  NOHALT_CHECK(check_no_other_run(view.maps, lock.memory(), places));
  for (const RuntimeAddress page : places.pages) {
    NOHALT_TRY([[maybe_unused]] const auto original,
               inline_pages::prove_file_page(process, lock.memory(), page));
  }
  NOHALT_CHECK(check_demand(process, view.maps, places));
  NOHALT_CHECK(check_grant(grant, process, run));

  NOHALT_TRY(RemoteThread thread, RemoteThread::borrow(process, lock));
  auto installed = install(thread, grant, run, {view, places, sites, layout});
  const Status finished = thread.finish();
  holds.add(thread.holds());
  if (!installed) return std::unexpected(std::move(installed).error());
  installed->id = options.run_id;
  installed->holds = holds;
  auto armed = std::make_unique<InlineRun>(process, std::move(*installed), std::move(clock), run,
                                           grant.limits());
  NOHALT_CHECK(finished);
  return armed;
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
    text += std::to_string(site.line.pc.value) + ' ' + std::to_string(site.probe) + ' ' +
            std::to_string(site.program.record_size) + '\n';
    const auto code = std::as_bytes(std::span(site.program.code));
    text.append(reinterpret_cast<const char*>(code.data()), code.size());
  }
  return policy::sha256_hex(text);
}

Result<std::unique_ptr<ArmedRun>> arm(const policy::Grant& grant, const target::Process& process,
                                      const symbols::DebugInfo& info, const RunToArm& run,
                                      const ArmOptions& options) {
  target::HoldReport holds;
  for (int attempt = 1;; ++attempt) {
    auto armed = arm_once(grant, process, info, run, options, holds);
    if (armed || !target::session_was_lost(armed.error())) return armed;
    NOHALT_CHECK(recover_with(process, options.run_id));
    if (attempt == kSessionAttempts) return armed;
  }
}

}  // namespace nohalt::engines
