// Each append opens the file anew, so that a file moved away is noticed. A second
// name of the file is what a rotation leaves that was cut short between giving the
// full file its new name and putting the next one in its place: then the trail goes
// on in it, and the second name is taken back.
#include "policy/audit/trail_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <thread>

#include "policy/audit/folder.h"
#include "policy/audit/rotation.h"
#include "src/base/escape.h"

namespace nohalt::policy {

namespace {

constexpr off_t kLongestTail = 4 * 1024 * 1024;
constexpr std::size_t kLongestAppend = 1024 * 1024;

// What is wrong with the open file as a trail; empty: nothing.
std::string unfit(const struct stat& status) {
  if (!S_ISREG(status.st_mode)) return "it is not a regular file";
  if (status.st_uid != ::geteuid()) return "it belongs to another user";
  if ((status.st_mode & 022) != 0) return "others may write it";
  return {};
}

using Deadline = std::chrono::steady_clock::time_point;

Status lock(int fd, const std::string& path, Deadline give_up) {
  while (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return unwritable_errno(path, "flock");
    if (std::chrono::steady_clock::now() >= give_up)
      return unwritable(path, "another process holds its lock");
    std::this_thread::sleep_for(std::chrono::milliseconds{5});
  }
  return {};
}

bool still_named(int fd, const std::string& path) {
  struct stat open_one{};
  struct stat named_one{};
  return ::fstat(fd, &open_one) == 0 && ::lstat(path.c_str(), &named_one) == 0 &&
         open_one.st_dev == named_one.st_dev && open_one.st_ino == named_one.st_ino;
}

Status check_only_name(int fd, const std::string& path) {
  struct stat status{};
  if (::fstat(fd, &status) != 0) return unwritable_errno(path, "fstat");
  if (status.st_nlink <= 1) return {};
  NOHALT_TRY(const TrailEnd end, read_end(fd, path));
  if (take_back_rotation(fd, path, end.seq)) return {};
  return unwritable(path, "it has more than one name");
}

}  // namespace

std::unexpected<Error> unwritable(const std::string& path, const std::string& problem) {
  return fail(ErrorCode::kDenied, "audit-unwritable",
              "The audit trail " + escape_untrusted(path).text + " cannot be written: " + problem +
                  ". Without a record nothing is armed.",
              "Make it a regular file of yours with mode 0600, or name another with --audit FILE.");
}

std::unexpected<Error> unwritable_errno(const std::string& path, const char* call) {
  const int error_number = errno;
  return unwritable(path, std::string{call} + ": " + std::generic_category().message(error_number));
}

Result<UniqueFd> open_trail_file(const std::string& path) {
  // O_NONBLOCK: a pipe in the file's place must not make the open wait.
  constexpr int kFlags = O_RDWR | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  UniqueFd fd(::open(path.c_str(), kFlags));
  if (!fd.valid() && errno == ENOENT) {
    fd = UniqueFd(::open(path.c_str(), kFlags | O_CREAT, 0600));
    const UniqueFd folder(::open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd.valid() && (!folder.valid() || ::fsync(folder.get()) != 0))
      return unwritable_errno(path, "fsync of its folder");
  }
  if (!fd.valid() && errno == ELOOP) return unwritable(path, "it is a symbolic link");
  if (!fd.valid()) return unwritable_errno(path, "open");
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) return unwritable_errno(path, "fstat");
  if (const std::string problem = unfit(status); !problem.empty()) return unwritable(path, problem);
  return fd;
}

Result<UniqueFd> open_locked(const std::string& path, std::chrono::milliseconds patience) {
  const Deadline give_up = std::chrono::steady_clock::now() + patience;
  do {
    NOHALT_TRY(UniqueFd fd, open_trail_file(path));
    NOHALT_CHECK(lock(fd.get(), path, give_up));
    if (!still_named(fd.get(), path)) continue;
    NOHALT_CHECK(check_only_name(fd.get(), path));
    return fd;
  } while (std::chrono::steady_clock::now() < give_up);
  return unwritable(path, "it is replaced again and again");
}

Result<TrailEnd> read_end(int fd, const std::string& path) {
  const off_t size = ::lseek(fd, 0, SEEK_END);
  if (size < 0) return unwritable_errno(path, "lseek");
  // Most lines are under 4 KiB; a longer tail is read only where none is whole.
  for (off_t length = 16 * 1024;; length *= 16) {
    length = std::min({length, size, kLongestTail});
    std::string tail(static_cast<std::size_t>(length), '\0');
    std::size_t filled = 0;
    while (filled < tail.size()) {
      const ssize_t n = ::pread(fd, tail.data() + filled, tail.size() - filled,
                                size - length + static_cast<off_t>(filled));
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return unwritable_errno(path, "read of its last line");
      filled += static_cast<std::size_t>(n);
    }
    TrailEnd end = read_trail_end(tail);
    const bool all = length == size || length == kLongestTail;
    if (end.found_whole_line && (all || !end.policy_hash.empty())) return end;
    if (length == size) return end;
    if (length == kLongestTail) return unwritable(path, "its last 4 MiB hold no audit record");
  }
}

Status append_durably(int fd, const std::string& path, std::string_view bytes) {
  if (bytes.size() > kLongestAppend)
    return unwritable(path, "the record would be larger than 1 MiB");
  const ssize_t written = ::write(fd, bytes.data(), bytes.size());
  if (written < 0) return unwritable_errno(path, "write");
  if (static_cast<std::size_t>(written) != bytes.size())
    return unwritable(path, "the disk is full");
  if (::fsync(fd) != 0) return unwritable_errno(path, "fsync");
  return {};
}

}  // namespace nohalt::policy
