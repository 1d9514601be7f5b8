// The mapped file names of every process, and the control pages behind them.
#include "src/session/armed_processes.h"

#include <pwd.h>
#include <sys/stat.h>

#include <charconv>
#include <filesystem>

#include "probes/engines/inline/inline_engine.h"
#include "probes/records/tsc_clock.h"
#include "probes/runtime/layout.h"
#include "src/base/file.h"

namespace nohalt::session {

namespace {

std::string owner_of(pid_t pid) {
  struct stat status{};
  if (::stat(("/proc/" + std::to_string(pid)).c_str(), &status) != 0) return {};
  const passwd* entry = ::getpwuid(status.st_uid);
  return entry != nullptr ? entry->pw_name : std::to_string(status.st_uid);
}

output::ArmedRow row_of(const target::Process& process, const engines::FoundRun& run) {
  output::ArmedRow row;
  row.id = run.id;
  row.pid = process.pid();
  row.exe = process.facts().exe_path;
  row.tool_pid = run.tool.pid;
  row.user = run.tool_alive ? owner_of(run.tool.pid) : "";
  const bool lapsed = run.lease_deadline_tsc < records::TscClock::now();
  row.state = !run.tool_alive ? "orphan" : lapsed ? "dormant" : "running";
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

Result<std::vector<output::ArmedRow>> list_armed(pid_t only) {
  std::vector<output::ArmedRow> rows;
  for (const pid_t pid : only != 0 ? std::vector<pid_t>{only} : processes_with_probes()) {
    const auto process = target::Process::open(pid);
    if (!process && only != 0) return std::unexpected(process.error());
    if (!process) continue;
    const auto runs = engines::find_runs(*process);
    if (!runs && only != 0) return std::unexpected(runs.error());
    if (!runs) continue;
    for (const engines::FoundRun& run : *runs) rows.push_back(row_of(*process, run));
  }
  return rows;
}

}  // namespace nohalt::session
