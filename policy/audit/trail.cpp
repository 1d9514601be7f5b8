// Each append opens the file anew, so that a file moved away by log rotation is
// noticed, takes the lock, reads the last line under it, writes once and syncs.
#include "policy/audit/trail.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <system_error>
#include <thread>

#include "policy/audit/line.h"
#include "src/base/escape.h"
#include "src/base/file.h"
#include "src/base/time_text.h"
#include "src/base/unique_fd.h"

namespace nohalt::policy {

namespace {

constexpr std::chrono::seconds kLongestWaitForLock{5};
constexpr off_t kLongestTail = 4 * 1024 * 1024;

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

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// Makes the folder and those above it that are missing, for its owner alone.
Status make_folder(const std::string& folder) {
  for (std::size_t at = folder.find('/', 1);; at = folder.find('/', at + 1)) {
    const std::string part = folder.substr(0, at);
    if (::mkdir(part.c_str(), 0700) != 0 && errno != EEXIST) return unwritable_errno(part, "mkdir");
    if (at == std::string::npos) return {};
  }
}

Result<std::string> usual_path(const Caller& caller) {
  if (caller.is_root()) return std::string{"/var/log/nohalt/audit.jsonl"};
  const char* state = std::getenv("XDG_STATE_HOME");
  if (state != nullptr && state[0] == '/') return std::string{state} + "/nohalt/audit.jsonl";
  const char* home = std::getenv("HOME");
  if (home != nullptr && home[0] == '/')
    return std::string{home} + "/.local/state/nohalt/audit.jsonl";
  return fail(ErrorCode::kDenied, "audit-unwritable",
              "There is no place for the audit trail: neither XDG_STATE_HOME nor HOME is set.",
              "Set HOME, or name a file with --audit FILE.");
}

// What is wrong with the open file as a trail; empty: nothing.
std::string unfit(const struct stat& status) {
  if (!S_ISREG(status.st_mode)) return "it is not a regular file";
  if (status.st_uid != ::geteuid()) return "it belongs to another user";
  if ((status.st_mode & 022) != 0) return "others may write it";
  if (status.st_nlink > 1) return "it has more than one name";
  return {};
}

Result<UniqueFd> open_file(const std::string& path) {
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

Status lock(int fd, const std::string& path) {
  const auto give_up = std::chrono::steady_clock::now() + kLongestWaitForLock;
  while (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return unwritable_errno(path, "flock");
    if (std::chrono::steady_clock::now() > give_up)
      return unwritable(path, "another process has held its lock for 5 s");
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

// Open and locked, and not moved away between the two.
Result<UniqueFd> open_locked(const std::string& path) {
  for (int attempt = 0; attempt < 10; ++attempt) {
    NOHALT_TRY(UniqueFd fd, open_file(path));
    NOHALT_CHECK(lock(fd.get(), path));
    if (still_named(fd.get(), path)) return fd;
  }
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
    if (end.found_whole_line || length == size) return end;
    if (length == kLongestTail) return unwritable(path, "its last 4 MiB hold no audit record");
  }
}

Result<LineFrame> frame_now(const TrailEnd& end) {
  LineFrame frame;
  frame.wall_ns = now_wall_ns();
  timespec boot{};
  ::clock_gettime(CLOCK_BOOTTIME, &boot);
  frame.boot_ms = static_cast<std::uint64_t>(boot.tv_sec) * 1000 +
                  static_cast<std::uint64_t>(boot.tv_nsec) / 1'000'000;
  NOHALT_TRY(frame.boot_id, read_file("/proc/sys/kernel/random/boot_id"));
  while (frame.boot_id.ends_with('\n')) frame.boot_id.pop_back();
  frame.previous = end.previous;
  frame.torn = end.torn;
  return frame;
}

}  // namespace

Result<Trail> Trail::open(const Caller& caller, const std::string& named) {
  std::string path = named;
  if (path.empty()) {
    NOHALT_TRY(path, usual_path(caller));
    NOHALT_CHECK(make_folder(folder_of(path)));
  }
  NOHALT_TRY(const UniqueFd fd, open_file(path));
  return Trail(std::move(path));
}

Result<std::string> Trail::check(const Caller& caller, const std::string& named) {
  std::string path = named;
  if (path.empty()) {
    NOHALT_TRY(path, usual_path(caller));
  }
  struct stat status{};
  if (::lstat(path.c_str(), &status) == 0) {
    NOHALT_TRY(const UniqueFd fd, open_file(path));
    return path;
  }
  // The nearest folder that exists is where the rest would be made.
  std::string folder = folder_of(path);
  while (named.empty() && folder != "/" && ::access(folder.c_str(), F_OK) != 0)
    folder = folder_of(folder);
  if (::access(folder.c_str(), W_OK | X_OK) != 0)
    return unwritable_errno(path, "access to its folder");
  return path;
}

Status Trail::append(const Event& event) const {
  NOHALT_TRY(const UniqueFd fd, open_locked(path_));
  NOHALT_TRY(const TrailEnd end, read_end(fd.get(), path_));
  NOHALT_TRY(const LineFrame frame, frame_now(end));
  const std::string bytes = (end.needs_newline ? "\n" : "") + audit_line(event, frame) + "\n";
  const ssize_t written = ::write(fd.get(), bytes.data(), bytes.size());
  if (written < 0) return unwritable_errno(path_, "write");
  if (static_cast<std::size_t>(written) != bytes.size())
    return unwritable(path_, "the disk is full");
  if (::fsync(fd.get()) != 0) return unwritable_errno(path_, "fsync");
  return {};
}

}  // namespace nohalt::policy
