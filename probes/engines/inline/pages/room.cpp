// Reads limits and status (proc(5)), and asks for the memory cgroups.
#include "probes/engines/inline/pages/room.h"

#include <string>

#include "probes/engines/inline/pages/kernel_number.h"
#include "probes/engines/inline/pages/memory_groups.h"
#include "probes/target/threads.h"
#include "src/base/file.h"

namespace nohalt::inline_pages {

namespace {

constexpr std::uint64_t kDefaultMapCount = 65530;
// Left to the target: what it may want to map itself while a probe is armed.
constexpr std::uint64_t kSpareMappings = 1024;
constexpr int kLockCapability = 14;  // CAP_IPC_LOCK

Status check_locked(std::string_view status, std::string_view limits, std::uint64_t bytes) {
  const std::uint64_t locked = to_number(target::status_field(status, "VmLck")).value_or(0) * 1024;
  if (locked == 0) return {};
  const auto capabilities = to_number(target::status_field(status, "CapEff"), 16).value_or(0);
  const auto limit = soft_limit(limits, "Max locked memory");
  if (!limit || (capabilities >> kLockCapability & 1) != 0 || locked + bytes <= *limit) return {};
  return fail(ErrorCode::kRefused, "locked-memory-limit",
              "The target locks its memory and is near its limit for that.",
              "Raise its RLIMIT_MEMLOCK (prlimit), then try again.");
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
                "Raise vm.max_map_count, then try again.");
  NOHALT_TRY(const std::string limits, read_file(folder + "/limits"));
  NOHALT_TRY(const std::string status, read_file(folder + "/status"));
  const std::uint64_t size = to_number(target::status_field(status, "VmSize")).value_or(0) * 1024;
  const auto space = soft_limit(limits, "Max address space");
  if (space && size + demand.bytes > *space)
    return fail(ErrorCode::kRefused, "address-space-limit",
                "The target is near the limit on its address space (RLIMIT_AS).",
                "Raise it (prlimit), then try again.");
  NOHALT_CHECK(check_locked(status, limits, demand.bytes));
  NOHALT_TRY(const std::string groups, read_file(folder + "/cgroup"));
  return check_memory_groups("/sys/fs/cgroup", groups, demand.bytes);
}

}  // namespace nohalt::inline_pages
