// Positioned reads and writes on /proc/PID/mem (proc_pid_mem(5)).
#include "probes/target/memory.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "probes/target/target_gone.h"

namespace nohalt::target {

namespace {

// EIO: an unmapped page. Zero bytes: the address space has no user any more.
std::unexpected<Error> memory_failure(ssize_t result, int error_number) {
  if (result == 0) return target_gone();
  if (error_number == EIO || error_number == EFAULT)
    return fail(ErrorCode::kRefused, "unreadable-memory",
                "The target has no such memory, or it may not be accessed.");
  return fail_errno("access to memory of the target", "", error_number);
}

}  // namespace

Result<Memory> Memory::open(pid_t pid) {
  const std::string path = "/proc/" + std::to_string(pid) + "/mem";
  UniqueFd mem(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (mem.valid()) return Memory(std::move(mem));
  const int error_number = errno;
  if (error_number == EACCES || error_number == EPERM)
    return fail(ErrorCode::kDenied, "not-permitted",
                "The kernel does not let this user trace process " + std::to_string(pid) + ".",
                "Run as the owner of the process, or with CAP_SYS_PTRACE.");
  return fail_on_target("open", path, error_number);
}

Status Memory::read(RuntimeAddress from, std::span<std::byte> to) const {
  while (!to.empty()) {
    const ssize_t n = ::pread(mem_.get(), to.data(), to.size(), static_cast<off_t>(from.value));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return memory_failure(n, errno);
    to = to.subspan(static_cast<std::size_t>(n));
    from = from + static_cast<std::uint64_t>(n);
  }
  return {};
}

Result<std::vector<std::byte>> Memory::read(const RuntimeRange& range) const {
  std::vector<std::byte> bytes(range.size());
  NOHALT_CHECK(read(range.begin, bytes));
  return bytes;
}

Status Memory::write(RuntimeAddress to, std::span<const std::byte> bytes) const {
  while (!bytes.empty()) {
    const ssize_t n =
        ::pwrite(mem_.get(), bytes.data(), bytes.size(), static_cast<off_t>(to.value));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return memory_failure(n, errno);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
    to = to + static_cast<std::uint64_t>(n);
  }
  return {};
}

}  // namespace nohalt::target
