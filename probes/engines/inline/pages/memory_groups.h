// Whether the memory cgroups that a process is in have room for more: its own
// group and every one above it, since the kernel charges them all and the
// tightest one decides.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "src/base/result.h"

namespace nohalt::inline_pages {

// `mounts` is the folder of the cgroup file systems (/sys/fs/cgroup), `membership`
// the text of /proc/PID/cgroup. A group that cannot be seen from here, or says
// "max", bounds nothing that can be told. Reason "memory-cgroup-full".
[[nodiscard]] Status check_memory_groups(const std::string& mounts, std::string_view membership,
                                         std::uint64_t bytes);

}  // namespace nohalt::inline_pages
