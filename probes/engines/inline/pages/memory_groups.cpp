// Walks from the process's group to the root of its hierarchy. Use of memory is
// counted with all groups below in both versions; what of it is cache that the
// kernel gives back on demand has another name in each (Linux, Documentation/
// admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst).
#include "probes/engines/inline/pages/memory_groups.h"

#include <algorithm>
#include <optional>

#include "probes/engines/inline/pages/kernel_number.h"
#include "src/base/escape.h"
#include "src/base/file.h"

namespace nohalt::inline_pages {

namespace {

struct Hierarchy {
  std::string mount;
  std::string group;  // "/a/b"; "/" is the root
  const char* limit;
  const char* used;
  const char* cache;  // in memory.stat
};

std::optional<Hierarchy> memory_hierarchy(const std::string& mounts, std::string_view membership) {
  constexpr std::string_view kUnified = "0::";
  constexpr std::string_view kMemory = ":memory:";
  std::optional<Hierarchy> unified;
  while (!membership.empty()) {
    const auto end = std::min(membership.find('\n'), membership.size());
    const std::string line(membership.substr(0, end));
    membership.remove_prefix(std::min(end + 1, membership.size()));
    if (line.starts_with(kUnified))
      unified = {mounts, line.substr(kUnified.size()), "/memory.max", "/memory.current",
                 "inactive_file"};
    if (const auto at = line.find(kMemory); at != std::string::npos)
      return Hierarchy{mounts + "/memory", line.substr(at + kMemory.size()),
                       "/memory.limit_in_bytes", "/memory.usage_in_bytes", "total_inactive_file"};
  }
  return unified;
}

// A number after a word at the start of a line, as in memory.stat.
std::uint64_t stat_value(std::string_view stat, std::string_view name) {
  while (!stat.empty()) {
    const auto end = std::min(stat.find('\n'), stat.size());
    const auto line = stat.substr(0, end);
    stat.remove_prefix(std::min(end + 1, stat.size()));
    if (line.starts_with(name) && line.size() > name.size() && line[name.size()] == ' ')
      return to_number(line.substr(name.size())).value_or(0);
  }
  return 0;
}

// Little hangs on it: the memory of memfds is charged to the tool that fills them,
// and to the target only the gate page and page tables.
bool has_room(const Hierarchy& hierarchy, const std::string& group, std::uint64_t bytes) {
  const std::string folder = hierarchy.mount + group;
  const auto limit = number_in(folder + hierarchy.limit);
  const auto used = number_in(folder + hierarchy.used);
  if (!limit || !used) return true;
  const auto stat = read_file(folder + "/memory.stat");
  const std::uint64_t cache = stat ? stat_value(*stat, hierarchy.cache) : 0;
  const std::uint64_t firm = *used > cache ? *used - cache : 0;
  return firm <= *limit && bytes <= *limit - firm;
}

}  // namespace

Status check_memory_groups(const std::string& mounts, std::string_view membership,
                           std::uint64_t bytes) {
  const auto hierarchy = memory_hierarchy(mounts, membership);
  if (!hierarchy) return {};
  std::string group = hierarchy->group == "/" ? "" : hierarchy->group;
  for (;; group.resize(group.rfind('/'))) {
    if (!has_room(*hierarchy, group, bytes))
      return fail(ErrorCode::kRefused, "memory-cgroup-full",
                  "The memory cgroup " + escape_untrusted(group + "/").text +
                      ", which holds the target, has no room for " + std::to_string(bytes) +
                      " more bytes.",
                  "Ask for less (--hits, --limit, --stack), or raise its memory limit.");
    if (group.rfind('/') == std::string::npos) return {};
  }
}

}  // namespace nohalt::inline_pages
