// One small check a reason, cheapest first.
#include "probes/target/attachable.h"

#include <pwd.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <map>

#include "probes/target/memory.h"
#include "probes/target/memory_sharing.h"
#include "probes/target/target_gone.h"
#include "probes/target/threads.h"
#include "src/base/escape.h"
#include "src/base/file.h"

namespace nohalt::target {

namespace {

std::string folder_of(pid_t pid) { return "/proc/" + std::to_string(pid); }

std::string subject(pid_t pid) { return "Process " + std::to_string(pid); }

std::unexpected<Error> refuse(const char* reason, std::string message, std::string hint) {
  return fail(ErrorCode::kRefused, reason, std::move(message), std::move(hint));
}

std::string name_of(pid_t pid) {
  auto comm = read_file(folder_of(pid) + "/comm");
  if (!comm) return "";
  while (comm->ends_with('\n')) comm->pop_back();
  return " (" + escape_untrusted(*comm).text + ")";
}

std::string user_of(uid_t uid) {
  const passwd* entry = ::getpwuid(uid);
  return entry != nullptr ? entry->pw_name : "uid " + std::to_string(uid);
}

Status check_permission(const Process& process) {
  const auto memory = Memory::open(process.pid());
  if (memory) return {};
  if (memory.error().code == ErrorCode::kTargetGone) return std::unexpected(memory.error());
  return fail(ErrorCode::kDenied, "not-permitted",
              "The kernel does not let you trace " + subject(process.pid()) + ", which runs as " +
                  user_of(process.facts().uids[0]) + ".",
              "Run nohalt as that user, or with CAP_SYS_PTRACE; `nohalt doctor` shows what this "
              "machine asks for.");
}

// Version 2 of the control groups names the group in the line "0::/path"; beside
// version 1 it is mounted one folder below.
//
// Of a group that is not mounted here, or has no such file (the root, which cannot
// be frozen), nothing is known. That bends nobody: a frozen thread is borrowed when
// it is thawed or not at all.
Result<bool> is_frozen(pid_t pid) {
  NOHALT_TRY(const std::string groups, read_file(folder_of(pid) + "/cgroup"));
  const std::size_t at = groups.find("0::");
  if (at != std::string::npos) {
    const std::size_t begin = at + 3;
    const std::string path = groups.substr(begin, groups.find('\n', begin) - begin);
    for (const char* root : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}) {
      const auto events = read_file(root + path + "/cgroup.events");
      if (events && events->find("frozen 1") != std::string::npos) return true;
    }
  }
  const std::size_t old = groups.find(":freezer:");
  if (old == std::string::npos) return false;
  const std::size_t begin = old + std::string_view(":freezer:").size();
  const std::string path = groups.substr(begin, groups.find('\n', begin) - begin);
  const auto state = read_file("/sys/fs/cgroup/freezer" + path + "/freezer.state");
  return state && !state->starts_with("THAWED");
}

// A thread that waits for a vforked child lets nobody borrow it, and its child
// runs in the same memory. What clone3 was asked for lies in the target's memory;
// nothing but a vfork makes it wait.
bool waits_for_vfork(const ThreadState& thread) {
  if (!thread.blocked || thread.state != 'D') return false;
  const BlockedCall& call = *thread.blocked;
  const bool clone_vfork = call.number == SYS_clone && (call.arguments[0] & CLONE_VFORK) != 0;
  return call.number == SYS_vfork || call.number == SYS_clone3 || clone_vfork;
}

Result<bool> is_mid_vfork(pid_t pid) {
  NOHALT_TRY(const std::vector<pid_t> threads, list_threads(pid));
  for (const pid_t tid : threads) {
    const auto thread = read_thread(pid, tid);
    if (!thread && thread_lives(pid, tid)) return std::unexpected(thread.error());
    if (thread && waits_for_vfork(*thread)) return true;
  }
  return false;
}

Result<bool> uses_userfaultfd(pid_t pid) {
  const std::string folder = folder_of(pid) + "/fd";
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    std::error_code closed;
    if (std::filesystem::read_symlink(entry.path(), closed) == "anon_inode:[userfaultfd]")
      return true;
  }
  if (error) return fail_on_target("list", folder, error.value());
  return false;
}

bool is_slow(std::string_view type) {
  constexpr std::array<std::string_view, 9> kSlow = {"fuse", "nfs", "cifs",      "smb3",  "9p",
                                                     "ceph", "afs", "glusterfs", "lustre"};
  return std::any_of(kSlow.begin(), kSlow.end(),
                     [&](std::string_view slow) { return type.starts_with(slow); });
}

// "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw": the third
// field is the device, the type stands behind " - ".
std::map<std::pair<std::uint32_t, std::uint32_t>, std::string> slow_devices(
    std::string_view mountinfo) {
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::string> devices;
  while (!mountinfo.empty()) {
    const std::string_view line = mountinfo.substr(0, mountinfo.find('\n'));
    mountinfo.remove_prefix(std::min(mountinfo.size(), line.size() + 1));
    const std::size_t separator = line.find(" - ");
    const std::size_t second = line.find(' ', line.find(' ') + 1);
    if (separator == std::string_view::npos || second == std::string_view::npos) continue;
    const std::string_view rest = line.substr(separator + 3);
    const std::string_view type = rest.substr(0, rest.find(' '));
    if (!is_slow(type)) continue;
    std::uint32_t major = 0;
    std::uint32_t minor = 0;
    const char* end = line.data() + line.size();
    const auto parsed = std::from_chars(line.data() + second + 1, end, major);
    if (parsed.ec != std::errc{} || parsed.ptr == end || *parsed.ptr != ':') continue;
    std::from_chars(parsed.ptr + 1, end, minor);
    devices[{major, minor}] = type;
  }
  return devices;
}

Status check_reads(const Process& process) {
  NOHALT_TRY(const bool serves_faults, uses_userfaultfd(process.pid()));
  if (serves_faults)
    return refuse("userfaultfd",
                  subject(process.pid()) +
                      " serves page faults itself (userfaultfd), so reading its memory could wait "
                      "for ever.",
                  "Probe it when it has closed that descriptor.");
  NOHALT_TRY(const Maps maps, read_maps(process.pid()));
  NOHALT_TRY(const std::string mountinfo, read_file(folder_of(process.pid()) + "/mountinfo"));
  if (const auto type = slow_mapping(maps, mountinfo))
    return refuse("slow-mapping",
                  subject(process.pid()) + " maps a file on a " + *type +
                      " file system, so reading its memory could wait for it.",
                  "Run the service from a local file system.");
  return {};
}

}  // namespace

std::optional<std::string> slow_mapping(const Maps& maps, std::string_view mountinfo) {
  const auto devices = slow_devices(mountinfo);
  for (const Mapping& mapping : maps.all()) {
    const auto found = devices.find({mapping.file.device_major, mapping.file.device_minor});
    if (!mapping.anonymous() && found != devices.end()) return found->second;
  }
  return std::nullopt;
}

Status check_facts(const ProcessFacts& facts, pid_t pid) {
  if (pid == ::getpid()) return refuse("self", "This is nohalt itself.", "Name another process.");
  if (facts.kernel_thread)
    return refuse("kernel-thread", subject(pid) + " is a kernel thread.",
                  "Only programs can be probed; `nohalt ps` lists them.");
  if (facts.state == 'Z' || facts.state == 'X')
    return fail(ErrorCode::kTargetGone, "target-gone", subject(pid) + " has ended.",
                "`nohalt ps` lists the processes that may be probed.");
  if (facts.tracer != 0)
    return refuse("traced",
                  subject(pid) + " is traced by process " + std::to_string(facts.tracer) +
                      name_of(facts.tracer) + ".",
                  "End that debugger first: two cannot trace one process.");
  if (facts.state == 'T' || facts.state == 't')
    return refuse("stopped", subject(pid) + " is stopped.",
                  "Let it go on (kill -CONT) and try again.");
  if (facts.elf_class == 1)
    return refuse("not-64-bit", subject(pid) + " is a 32-bit program.",
                  "Only x86-64 programs can be probed.");
  if (facts.shadow_stack)
    return refuse("shadow-stack",
                  subject(pid) +
                      " keeps shadow stacks, which end it when a thread that was borrowed returns.",
                  "Start the service without them (GLIBC_TUNABLES, or without -fcf-protection).");
  const auto filtered = std::find_if(facts.seccomp.begin(), facts.seccomp.end(),
                                     [](const ThreadSeccomp& thread) { return thread.mode != 0; });
  if (filtered != facts.seccomp.end())
    return refuse("seccomp-filter",
                  subject(pid) + " runs under seccomp (thread " + std::to_string(filtered->tid) +
                      "), whose filter would judge nohalt's system calls and may kill it for them.",
                  "This version cannot probe it; start the service without a filter to do so.");
  return {};
}

Status check_detachable(const Process& process) {
  NOHALT_CHECK(process.check_alive());
  NOHALT_TRY(const Process now, Process::open(process.pid()));
  const pid_t pid = process.pid();
  NOHALT_CHECK(check_facts(now.facts(), pid));
  NOHALT_TRY(const bool frozen, is_frozen(pid));
  if (frozen)
    return refuse("frozen", subject(pid) + " is frozen by its control group.",
                  "Thaw the group and try again.");
  NOHALT_CHECK(check_permission(now));
  return check_reads(now);
}

Status check_attachable(const Process& process) {
  NOHALT_CHECK(check_detachable(process));
  const pid_t pid = process.pid();
  NOHALT_TRY(const bool mid_vfork, is_mid_vfork(pid));
  if (mid_vfork)
    return refuse("mid-vfork", subject(pid) + " is waiting for a child it made with vfork.",
                  "Try again in a moment.");
  NOHALT_TRY(const auto partner, shares_memory_outside(pid));
  if (!partner) return {};
  return refuse("shares-memory",
                subject(pid) + " shares its memory with process " + std::to_string(*partner) +
                    name_of(*partner) + ".",
                "Try again when that process has ended or called execve.");
}

}  // namespace nohalt::target
