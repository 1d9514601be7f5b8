// The files are opened and their sizes noted under a shared lock on the live one,
// so that no append and no rotation is half done at that moment; then the lock goes.
#include "policy/audit/trail_reader.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <system_error>
#include <thread>

#include "policy/audit/rotation.h"
#include "src/base/escape.h"

namespace nohalt::policy {

namespace {

constexpr std::size_t kChunk = 1024 * 1024;
constexpr std::size_t kLongestLine = 4 * 1024 * 1024;
constexpr std::chrono::seconds kLongestWaitForLock{5};

std::unexpected<Error> unreadable(const std::string& path, const std::string& problem) {
  return fail(
      ErrorCode::kUsage, "unreadable-trail",
      "The audit trail " + escape_untrusted(path).text + " cannot be read: " + problem + ".",
      "Name it with --audit FILE, and read it as its owner.");
}

std::unexpected<Error> unreadable_errno(const std::string& path, const char* call) {
  const int error_number = errno;
  return unreadable(path, std::string{call} + ": " + std::generic_category().message(error_number));
}

// A lock that somebody keeps must not keep a trail from being looked at.
void wait_for_writers(int fd) {
  const auto give_up = std::chrono::steady_clock::now() + kLongestWaitForLock;
  while (::flock(fd, LOCK_SH | LOCK_NB) != 0 && std::chrono::steady_clock::now() < give_up)
    std::this_thread::sleep_for(std::chrono::milliseconds{5});
}

// Hands on the whole lines in `text`; gives how much of it was used.
std::size_t take_lines(std::string_view text, const std::string& file, std::uint64_t& number,
                       const TrailReader::Take& take) {
  std::size_t begin = 0;
  for (std::size_t end = text.find('\n'); end != text.npos; end = text.find('\n', begin)) {
    take({text.substr(begin, end - begin), file, number++});
    begin = end + 1;
  }
  return begin;
}

}  // namespace

Result<TrailReader::Part> TrailReader::open_part(const std::string& path) {
  Part part{path, UniqueFd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)), 0};
  if (!part.fd.valid()) return unreadable_errno(path, "open");
  struct stat status{};
  if (::fstat(part.fd.get(), &status) != 0) return unreadable_errno(path, "fstat");
  if (!S_ISREG(status.st_mode)) return unreadable(path, "it is not a regular file");
  return part;
}

Result<TrailReader> TrailReader::open(const std::string& path) {
  TrailReader reader;
  NOHALT_TRY(Part live, open_part(trail_files(path).back()));
  wait_for_writers(live.fd.get());
  for (const std::string& file : trail_files(path)) {
    NOHALT_TRY(Part part, open_part(file));
    struct stat status{};
    if (::fstat(part.fd.get(), &status) != 0) return unreadable_errno(file, "fstat");
    part.size = static_cast<std::uint64_t>(status.st_size);
    reader.parts_.push_back(std::move(part));
  }
  return reader;
}

Status TrailReader::read(const Take& take) const {
  for (const Part& part : parts_) NOHALT_CHECK(read_part(part, take));
  return {};
}

Status TrailReader::read_part(const Part& part, const Take& take) {
  std::string held;  // read and not handed on
  std::uint64_t number = 1;
  for (std::uint64_t at = 0; at < part.size;) {
    const std::size_t wanted = std::min<std::uint64_t>(kChunk, part.size - at);
    const std::size_t before = held.size();
    held.resize(before + wanted);
    const ssize_t n = ::pread(part.fd.get(), held.data() + before, wanted, static_cast<off_t>(at));
    held.resize(before + static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return unreadable_errno(part.path, "read");
    if (n == 0) break;  // it was cut meanwhile
    at += static_cast<std::uint64_t>(n);
    held.erase(0, take_lines(held, part.path, number, take));
    if (held.size() <= kLongestLine) continue;
    take({held, part.path, number, true});
    held.clear();
  }
  if (!held.empty()) take({held, part.path, number});
  return {};
}

}  // namespace nohalt::policy
