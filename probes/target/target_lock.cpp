// flock(2) with a bounded wait; pidfs (Linux, fs/pidfs.c); proc_locks(5).
#include "probes/target/target_lock.h"

#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <functional>
#include <optional>
#include <string>
#include <thread>

#include "probes/target/threads.h"
#include "src/base/file.h"

namespace nohalt::target {

namespace {

using Clock = std::chrono::steady_clock;

// A pidfd whose file is the process's own; before Linux 6.9 it was one file for all.
UniqueFd open_pidfd(pid_t pid) {
  constexpr auto kPidFileSystem = 0x50494446;  // PID_FS_MAGIC
  UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  struct statfs info{};
  if (pidfd.valid() && ::fstatfs(pidfd.get(), &info) == 0 && info.f_type == kPidFileSystem)
    return pidfd;
  return {};
}

std::optional<uid_t> effective_user(pid_t pid) {
  const auto status = read_file("/proc/" + std::to_string(pid) + "/status");
  if (!status) return std::nullopt;
  const std::string_view ids = status_field(*status, "Uid");  // real, effective, ...
  const auto second = ids.find_first_of(" \t");
  if (second == std::string_view::npos) return std::nullopt;
  uid_t user = 0;
  const auto read = std::from_chars(ids.data() + second + 1, ids.data() + ids.size(), user);
  return read.ec == std::errc{} ? std::optional(user) : std::nullopt;
}

bool is_held_by_stranger(const Process& process, int pidfd) {
  struct stat info{};
  const auto locks = read_file("/proc/locks");
  if (!locks || ::fstat(pidfd, &info) != 0) return false;
  const pid_t holder = lock_holder(*locks, info.st_dev, info.st_ino);
  const auto user = holder == 0 ? std::nullopt : effective_user(holder);
  return user && *user != 0 &&
         std::ranges::find(process.facts().uids, *user) == process.facts().uids.end();
}

Status lock(int descriptor, Clock::time_point deadline, const std::function<bool()>& give_up) {
  while (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR)
      return fail_errno("flock", "the target's memory", errno);
    if (give_up()) return {};
    if (Clock::now() >= deadline)
      return fail(ErrorCode::kAlreadyProbed, "target-locked",
                  "Another run is placing or removing probes in this process.",
                  "Try again when it is done.");
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return {};
}

}  // namespace

pid_t lock_holder(std::string_view locks, std::uint64_t device, std::uint64_t inode) {
  std::array<char, 64> file{};
  std::snprintf(file.data(), file.size(), " %02x:%02x:%lu ", major(device), minor(device), inode);
  while (!locks.empty()) {
    const auto end = std::min(locks.find('\n'), locks.size());
    const std::string_view line = locks.substr(0, end);
    locks.remove_prefix(std::min(end + 1, locks.size()));
    const auto at = line.find(file.data());
    // A line with an arrow is of one who waits.
    if (at == std::string_view::npos || line.find("->") != std::string_view::npos) continue;
    const std::string_view before = line.substr(0, at);
    const auto number = before.substr(before.find_last_of(' ') + 1);
    pid_t pid = 0;
    const auto read = std::from_chars(number.data(), number.data() + number.size(), pid);
    if (read.ec == std::errc{} && pid > 0) return pid;
  }
  return 0;
}

Result<TargetLock> TargetLock::acquire(const Process& process, std::chrono::milliseconds patience) {
  NOHALT_TRY(Memory memory, Memory::open(process.pid()));
  UniqueFd pidfd = open_pidfd(process.pid());
  NOHALT_CHECK(process.check_alive());
  const auto deadline = Clock::now() + patience;
  NOHALT_CHECK(lock(memory.descriptor(), deadline, [] { return false; }));
  if (pidfd.valid())
    NOHALT_CHECK(
        lock(pidfd.get(), deadline, [&] { return is_held_by_stranger(process, pidfd.get()); }));
  return TargetLock(std::move(memory), std::move(pidfd));
}

}  // namespace nohalt::target
