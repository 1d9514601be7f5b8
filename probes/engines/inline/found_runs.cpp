// Nothing read here is trusted for more than naming things: what is done about
// them is proven by pages/recover_page.h.
#include "probes/engines/inline/found_runs.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "probes/records/tsc_clock.h"
#include "probes/target/process.h"
#include "src/base/file.h"

namespace nohalt::engines {

namespace {

// The tool renews at most 1.5 s ahead; five seconds at any clock rate above
// 1 GHz, and longer at lower ones.
constexpr std::uint64_t kLongLapsedTicks = 5'000'000'000;
// No tool renews this far ahead at any clock rate below 6 GHz.
constexpr std::uint64_t kFarAheadTicks = 10'000'000'000;

bool is_running(const ProcessIdentity& tool) {
  const auto stat = read_file("/proc/" + std::to_string(tool.pid) + "/stat");
  constexpr int kStartTimeField = 22;
  return stat && target::parse_stat_field(*stat, kStartTimeField) == tool.start_time;
}

FoundRun describe(const runtime::ControlPage& claims) {
  FoundRun run;
  run.id = fmt::format("{:016x}", claims.generation);
  run.tool = {claims.tool_pid, claims.tool_start_time};
  run.tool_alive = is_running(run.tool);
  run.lease_deadline_tsc = claims.lease_deadline_tsc;
  run.lease_end_ns = claims.lease_end_ns;
  for (std::uint64_t i = 0; i < claims.site_count; ++i)
    run.addresses.push_back({claims.site_addresses[i]});
  return run;
}

}  // namespace

bool is_named_ours(const target::Mapping& mapping) {
  constexpr std::array<std::string_view, 3> kNames = {runtime::kControlName, runtime::kCodeName,
                                                      runtime::kPageName};
  return std::any_of(kNames.begin(), kNames.end(), [&](std::string_view name) {
    return mapping.path == fmt::format("/memfd:{}", name);
  });
}

std::vector<FoundControl> find_controls(const target::Maps& maps, const target::Memory& memory) {
  std::vector<FoundControl> found;
  for (const target::Mapping& mapping : maps.all()) {
    if (mapping.path != fmt::format("/memfd:{}", runtime::kControlName) || mapping.offset != 0)
      continue;
    auto claims = memory.read_value<runtime::ControlPage>(mapping.range.begin);
    if (!claims || claims->magic != runtime::kControlMagic) continue;
    claims->site_count = std::min<std::uint64_t>(claims->site_count, runtime::kMaxProbes);
    claims->page_count = std::min(claims->page_count, runtime::kMaxProbes);
    claims->code_count = std::min(claims->code_count, runtime::kMaxProbes + 1);
    found.push_back({describe(*claims), mapping.range, *claims});
    found.back().run.control = mapping.file;
  }
  return found;
}

bool is_of(const FoundControl& control, const target::Process& process) {
  return control.claims.target_pid == process.facts().namespace_pid &&
         control.claims.target_start_time == process.identity().start_time;
}

bool is_orphan(const FoundRun& run) {
  const std::uint64_t now = records::TscClock::now();
  if (run.lease_deadline_tsc > now)
    return !run.tool_alive && run.lease_deadline_tsc - now > kFarAheadTicks;
  return !run.tool_alive || now - run.lease_deadline_tsc > kLongLapsedTicks;
}

Result<std::vector<FoundRun>> find_runs(const target::Process& process) {
  NOHALT_TRY(const target::Memory memory, target::Memory::open(process.pid()));
  NOHALT_TRY(const target::Maps maps, target::read_maps(process.pid()));
  std::vector<FoundRun> runs;
  for (FoundControl& found : find_controls(maps, memory)) {
    found.run.inherited = !is_of(found, process);
    runs.push_back(std::move(found.run));
  }
  return runs;
}

}  // namespace nohalt::engines
