// Reads limits, status and the memory cgroup (proc(5), cgroup-v2 and v1 docs).
#include "probes/engines/inline/pages/room.h"

#include <charconv>
#include <string>

#include "probes/target/threads.h"
#include "src/base/file.h"

namespace nohalt::inline_pages {

namespace {

constexpr std::uint64_t kDefaultMapCount = 65530;
// Left to the target: what it may want to map itself while a probe is armed.
constexpr std::uint64_t kSpareMappings = 1024;
constexpr int kLockCapability = 14;  // CAP_IPC_LOCK

std::optional<std::uint64_t> to_number(std::string_view text, int base = 10) {
  const auto begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return std::nullopt;
  text.remove_prefix(begin);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{}) return std::nullopt;
  return value;
}

std::optional<std::uint64_t> number_in(const std::string& path) {
  const auto text = read_file(path);
  return text ? to_number(*text) : std::nullopt;
}

// A number after a word at the start of a line, as in memory.stat.
std::uint64_t stat_value(std::string_view stat, std::string_view name) {
  for (std::size_t at = 0; at < stat.size();) {
    const auto end = std::min(stat.find('\n', at), stat.size());
    const auto line = stat.substr(at, end - at);
    if (line.starts_with(name) && line.size() > name.size() && line[name.size()] == ' ')
      return to_number(line.substr(name.size())).value_or(0);
    at = end + 1;
  }
  return 0;
}

struct CgroupFiles {
  std::string folder;
  const char* limit;
  const char* used;
  const char* cache;  // in memory.stat: what the kernel gives back on demand
};

std::optional<CgroupFiles> memory_cgroup(pid_t pid) {
  const auto text = read_file("/proc/" + std::to_string(pid) + "/cgroup");
  if (!text) return std::nullopt;
  std::optional<CgroupFiles> unified;
  for (std::size_t at = 0; at < text->size();) {
    const auto end = std::min(text->find('\n', at), text->size());
    const std::string line = text->substr(at, end - at);
    at = end + 1;
    if (line.starts_with("0::"))
      unified = CgroupFiles{"/sys/fs/cgroup" + line.substr(3), "/memory.max", "/memory.current",
                            "inactive_file"};
    const auto controller = line.find(":memory:");
    if (controller != std::string::npos)
      return CgroupFiles{"/sys/fs/cgroup/memory" + line.substr(controller + 8),
                         "/memory.limit_in_bytes", "/memory.usage_in_bytes", "total_inactive_file"};
  }
  return unified;
}

// A group that is not mounted here, or says "max", bounds nothing that can be told.
// Little hangs on it: the memory of memfds is charged to the tool that fills them,
// and to the target only the gate page and page tables.
Status check_cgroup(pid_t pid, std::uint64_t bytes) {
  const auto files = memory_cgroup(pid);
  if (!files) return {};
  const auto limit = number_in(files->folder + files->limit);
  const auto used = number_in(files->folder + files->used);
  if (!limit || !used) return {};
  const auto stat = read_file(files->folder + "/memory.stat");
  const std::uint64_t cache = stat ? stat_value(*stat, files->cache) : 0;
  const std::uint64_t firm = *used > cache ? *used - cache : 0;
  if (firm + bytes <= *limit) return {};
  return fail(
      ErrorCode::kRefused, "memory-cgroup-full",
      "The target's memory cgroup has no room for " + std::to_string(bytes) + " more bytes.",
      "Ask for less (--hits, --limit, --stack), or raise its memory limit.");
}

Status check_locked(std::string_view status, std::string_view limits, std::uint64_t bytes) {
  const std::uint64_t locked = to_number(target::status_field(status, "VmLck")).value_or(0) * 1024;
  if (locked == 0) return {};
  const auto capabilities = to_number(target::status_field(status, "CapEff"), 16).value_or(0);
  const auto limit = soft_limit(limits, "Max locked memory");
  if (!limit || (capabilities >> kLockCapability & 1) != 0 || locked + bytes <= *limit) return {};
  return fail(ErrorCode::kRefused, "locked-memory-limit",
              "The target locks its memory and is near its limit for that.",
              "Raise its RLIMIT_MEMLOCK, or use the kernel engine.");
}

}  // namespace

std::optional<std::uint64_t> soft_limit(std::string_view limits, std::string_view name) {
  const auto at = limits.find(name);
  return at == std::string_view::npos ? std::nullopt : to_number(limits.substr(at + name.size()));
}

Status check_room(const target::Process& process, const target::Maps& maps, const Demand& demand) {
  const std::string folder = "/proc/" + std::to_string(process.pid());
  const std::uint64_t most = number_in("/proc/sys/vm/max_map_count").value_or(kDefaultMapCount);
  if (maps.all().size() + demand.mappings + kSpareMappings > most)
    return fail(ErrorCode::kRefused, "mapping-limit",
                "The target is near the limit on the number of its mappings.",
                "Raise vm.max_map_count, or use the kernel engine.");
  NOHALT_TRY(const std::string limits, read_file(folder + "/limits"));
  NOHALT_TRY(const std::string status, read_file(folder + "/status"));
  const std::uint64_t size = to_number(target::status_field(status, "VmSize")).value_or(0) * 1024;
  const auto space = soft_limit(limits, "Max address space");
  if (space && size + demand.bytes > *space)
    return fail(ErrorCode::kRefused, "address-space-limit",
                "The target is near the limit on its address space (RLIMIT_AS).",
                "Raise the limit, or use the kernel engine.");
  NOHALT_CHECK(check_locked(status, limits, demand.bytes));
  return check_cgroup(process.pid(), demand.bytes);
}

}  // namespace nohalt::inline_pages
