// The mapped file names of every process, and the control pages behind them.
#include "src/session/armed_processes.h"

#include <pwd.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "probes/records/tsc_clock.h"
#include "probes/runtime/layout.h"
#include "probes/target/maps.h"
#include "src/base/file.h"

namespace nohalt::session {

namespace {

std::string owner_of(pid_t pid) {
  struct stat status{};
  if (::stat(("/proc/" + std::to_string(pid)).c_str(), &status) != 0) return {};
  const passwd* entry = ::getpwuid(status.st_uid);
  return entry != nullptr ? entry->pw_name : std::to_string(status.st_uid);
}

bool maps_control(const target::Maps& maps, const target::FileId& control) {
  return std::any_of(maps.all().begin(), maps.all().end(), [&](const target::Mapping& mapping) {
    return mapping.file == control && mapping.shared &&
           mapping.path == std::string("/memfd:") + runtime::kControlName;
  });
}

const char* state_of(const engines::FoundRun& run, bool proven) {
  if (run.inherited) return "dormant";
  if (!run.tool_alive) return "orphan";
  if (!proven) return "unproven";
  return run.lease_deadline_tsc < records::TscClock::now() ? "dormant" : "running";
}

output::ArmedRow row_of(const target::Process& process, const engines::FoundRun& run) {
  output::ArmedRow row;
  row.id = run.id;
  row.pid = process.pid();
  row.exe = process.facts().exe_path;
  row.tool_pid = run.tool.pid;
  const bool proven = open_tool(run, process.pid()).has_value();
  row.user = proven ? owner_of(run.tool.pid) : "";
  row.state = state_of(run, proven);
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
// whether it still lives: so all that was read was of that process. The name
// counts too, since the kernel's numbers of nameless files may come round.
Result<target::Process> open_tool(const engines::FoundRun& run, pid_t target) {
  auto tool = target::Process::open(run.tool.pid);
  if (tool && tool->identity() == run.tool && run.tool.pid != target) {
    const auto maps = target::read_maps(run.tool.pid);
    if (maps && maps_control(*maps, run.control) && tool->check_alive()) return tool;
  }
  return fail(ErrorCode::kRefused, "tool-not-proven",
              "Process " + std::to_string(run.tool.pid) + ", which run " + run.id +
                  " names as its tool, is not shown to be it.",
              "A run is ended by who may look at its tool; `nohalt sweep` takes off what a dead "
              "run left.");
}

}  // namespace nohalt::session
