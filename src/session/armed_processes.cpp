// The mapped file names of every process, and the control pages behind them.
#include "src/session/armed_processes.h"

#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <filesystem>

#include "policy/access/caller.h"
#include "probes/records/tsc_clock.h"
#include "probes/runtime/layout.h"
#include "probes/target/maps.h"
#include "probes/target/target_lock.h"
#include "src/base/file.h"

namespace nohalt::session {

namespace {

// The folder of a tool in /proc is root's, whoever runs it.
std::string owner_of(const target::Process& tool) {
  const std::string name = policy::user_name(tool.facts().uids[0]);
  return name.empty() ? std::to_string(tool.facts().uids[0]) : name;
}

bool maps_control(const target::Maps& maps, const target::FileId& control) {
  return std::any_of(maps.all().begin(), maps.all().end(), [&](const target::Mapping& mapping) {
    return mapping.file == control && mapping.shared &&
           mapping.path == std::string("/memfd:") + runtime::kControlName;
  });
}

bool holds_control(pid_t tool, const target::FileId& control) {
  const auto locks = read_file("/proc/locks");
  return locks && target::lock_holder(*locks, makedev(control.device_major, control.device_minor),
                                      control.inode) == tool;
}

// What a program calls itself, which another of its user's cannot change.
std::string name_of(const std::string& process) {
  return read_file("/proc/" + process + "/comm").value_or("");
}

bool is_named_as_this(pid_t tool) {
  const std::string name = name_of("self");
  return !name.empty() && name_of(std::to_string(tool)) == name;
}

const char* state_of(const engines::FoundRun& run, bool proven) {
  if (run.inherited) return "dormant";
  if (!run.tool_alive) return "orphan";
  if (!proven) return "unproven";
  return run.lease_deadline_tsc < records::TscClock::now() ? "dormant" : "running";
}

// As the run's control page claims. Of one that nobody keeps up it means nothing.
std::int64_t lease_left_ms(const engines::FoundRun& run, std::string_view state) {
  if (run.lease_end_ns == 0 || state != "running") return 0;
  const std::chrono::nanoseconds since_start = std::chrono::steady_clock::now().time_since_epoch();
  const auto now = static_cast<std::uint64_t>(since_start.count());
  return run.lease_end_ns <= now ? 0
                                 : static_cast<std::int64_t>((run.lease_end_ns - now) / 1'000'000);
}

output::ArmedRow row_of(const target::Process& process, const engines::FoundRun& run) {
  output::ArmedRow row;
  row.id = run.id;
  row.pid = process.pid();
  row.exe = process.facts().exe_path;
  row.tool_pid = run.tool.pid;
  const auto tool = open_tool(run, process.pid());
  row.user = tool ? owner_of(*tool) : "";
  row.state = state_of(run, tool.has_value());
  row.lease_left_ms = lease_left_ms(run, row.state);
  for (const RuntimeAddress address : run.addresses) row.addresses.push_back(address.value);
  return row;
}

}  // namespace

std::vector<pid_t> processes_with_probes() {
  std::vector<pid_t> pids;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    const std::string name = entry.path().filename();
    pid_t pid = 0;
    const auto parsed = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (parsed.ptr != name.data() + name.size()) continue;
    const auto maps = read_file("/proc/" + name + "/maps");
    // Code or a swapped page: a tool maps nothing but the control regions.
    const auto carries = [&](const char* memfd) {
      return maps->find(std::string("/memfd:") + memfd) != std::string::npos;
    };
    if (maps && (carries(runtime::kCodeName) || carries(runtime::kPageName))) pids.push_back(pid);
  }
  return pids;
}

Result<std::vector<ArmedRun>> find_armed(pid_t only) {
  std::vector<ArmedRun> found;
  for (const pid_t pid : only != 0 ? std::vector<pid_t>{only} : processes_with_probes()) {
    const auto process = target::Process::open(pid);
    if (!process && only != 0) return std::unexpected(process.error());
    if (!process) continue;
    const auto runs = engines::find_runs(*process);
    if (!runs && only != 0) return std::unexpected(runs.error());
    if (!runs) continue;
    for (const engines::FoundRun& run : *runs) found.push_back({run, row_of(*process, run)});
  }
  return found;
}

// The pidfd is opened before anything is looked at, and the process is asked last
// whether it still lives: so all that was read was of that process. That the lock is its
// own the kernel says; but by a number, which another process may have by now. So it must
// be called what this program is, and whose mappings may be read must map the region: the
// name of the file counts too, since the kernel's numbers of nameless files may come round.
Result<target::Process> open_tool(const engines::FoundRun& run, pid_t target) {
  auto tool = target::Process::open(run.tool.pid);
  if (tool && tool->identity() == run.tool && run.tool.pid != target &&
      holds_control(run.tool.pid, run.control) && is_named_as_this(run.tool.pid)) {
    const auto maps = target::read_maps(run.tool.pid);
    const bool fits = maps ? maps_control(*maps, run.control) : ::geteuid() != 0;
    if (fits && tool->check_alive()) return tool;
  }
  return fail(ErrorCode::kRefused, "tool-not-proven",
              "Process " + std::to_string(run.tool.pid) + ", which run " + run.id +
                  " names as its tool, is not shown to be it.",
              "A run is ended by who may look at its tool; `nohalt sweep` takes off what a dead "
              "run left.");
}

}  // namespace nohalt::session
