// Plain POSIX reads and writes with errors that name the file.
#include "src/base/file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "src/base/unique_fd.h"

namespace nohalt {

namespace {
constexpr std::size_t kLargestFile = 64UL << 20;
}

Result<std::string> read_file_start(const std::string& path, std::size_t limit) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return fail_errno("open", path, errno);
  std::string content;
  std::array<char, 16384> buffer;
  while (content.size() < limit) {
    const std::size_t wanted = std::min(buffer.size(), limit - content.size());
    const ssize_t n = ::read(fd.get(), buffer.data(), wanted);
    if (n == 0) return content;
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno("read", path, errno);
    content.append(buffer.data(), static_cast<std::size_t>(n));
  }
  return content;
}

Result<std::string> read_file(const std::string& path) {
  NOHALT_TRY(std::string content, read_file_start(path, kLargestFile + 1));
  if (content.size() <= kLargestFile) return content;
  return fail(ErrorCode::kInternal, "file-too-large", path + " is larger than 64 MiB.");
}

Status write_all_at(int fd, std::span<const std::byte> bytes, std::uint64_t offset) {
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno("pwrite", "", errno);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
  return {};
}

}  // namespace nohalt
