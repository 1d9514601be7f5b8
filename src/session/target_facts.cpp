// A copy from one module's plain values to another's, and where the process lives.
#include "src/session/target_facts.h"

#include <sys/stat.h>

#include "probes/symbols/unwind_table.h"
#include "src/base/file.h"

namespace nohalt::session {

namespace {

std::optional<bool> is_own_mount_namespace(pid_t pid) {
  struct stat own{}, other{};
  if (::stat("/proc/self/ns/mnt", &own) != 0) return std::nullopt;
  if (::stat(("/proc/" + std::to_string(pid) + "/ns/mnt").c_str(), &other) != 0)
    return std::nullopt;
  return own.st_dev == other.st_dev && own.st_ino == other.st_ino;
}

// The line of cgroup 2 is "0::/path"; a path that leads out of the tool's own cgroup
// namespace tells nothing.
std::optional<std::string> cgroup_of(pid_t pid) {
  const auto lines = read_file("/proc/" + std::to_string(pid) + "/cgroup");
  if (!lines) return std::nullopt;
  std::size_t at = lines->starts_with("0::/") ? 0 : lines->find("\n0::/");
  if (at == std::string::npos) return std::nullopt;
  at = lines->find('/', at);
  std::string path = lines->substr(at, lines->find('\n', at) - at);
  if (path.starts_with("/..")) return std::nullopt;
  return path;
}

}  // namespace

policy::TargetFacts target_facts(const target::Process& process) {
  const target::ProcessFacts& facts = process.facts();
  policy::TargetFacts result;
  result.identity = process.identity();
  result.uids = facts.uids;
  result.gids = facts.gids;
  result.exe_device = facts.exe_device;
  result.exe_inode = facts.exe_inode;
  result.exe_path = facts.exe_path;
  result.is_own_mount_namespace = is_own_mount_namespace(process.pid());
  result.cgroup = cgroup_of(process.pid());
  return result;
}

policy::TargetFacts built_facts(const target::Process& process) {
  policy::TargetFacts facts = target_facts(process);
  const std::string exe = "/proc/" + std::to_string(process.pid()) + "/exe";
  const auto image = symbols::UnwindTable::open(exe, facts.exe_path, {});
  if (image) facts.build_id = (*image)->build_id();
  return facts;
}

}  // namespace nohalt::session
