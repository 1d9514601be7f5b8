// The path is walked part by part with descriptors, as the kernel would, so that
// no part can be exchanged between its check and its use: each is opened in the
// folder before without following a link, and looked at by its descriptor.
#include "policy/file/trusted.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>

#include "src/base/escape.h"

namespace nohalt::policy {

namespace {

constexpr int kMostLinks = 40;

class Walk {
 public:
  Walk(const std::string& path, const std::vector<uid_t>& owners)
      : shown_(escape_untrusted(path).text), owners_(owners) {}

  // A descriptor (O_PATH) of what the path leads to.
  Result<UniqueFd> to(const std::string& path) {
    std::string whole = path;
    if (!path.starts_with('/')) {
      std::array<char, PATH_MAX> here{};
      if (::getcwd(here.data(), here.size()) == nullptr) return unreadable("getcwd", errno);
      whole = std::string{here.data()} + "/" + path;
    }
    NOHALT_CHECK(start());
    return walk(whole);
  }

  std::unexpected<Error> unreadable(const std::string& what, int error) const {
    return fail(ErrorCode::kDenied, "policy-unreadable",
                shown_ + " cannot be read (" + fail_errno(what, shown_, error).error().message +
                    "), so nothing is allowed.",
                "Make it readable, or take it away.");
  }

 private:
  Status start() {
    folders_.clear();
    UniqueFd root(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!root.valid()) return unreadable("open", errno);
    NOHALT_CHECK(check(root.get(), "/"));
    folders_.push_back(std::move(root));
    return {};
  }

  Result<UniqueFd> walk(const std::string& path) {
    std::size_t at = 0;
    while (true) {
      while (at < path.size() && path[at] == '/') ++at;
      if (at == path.size()) return std::move(folders_.back());
      const std::size_t end = std::min(path.find('/', at), path.size());
      const std::string part = path.substr(at, end - at);
      at = end;
      if (part == ".") continue;
      if (part == "..") {
        if (folders_.size() > 1) folders_.pop_back();
        continue;
      }
      UniqueFd next(::openat(folders_.back().get(), part.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
      if (!next.valid()) return unreadable("open", errno);
      struct stat status{};
      if (::fstat(next.get(), &status) != 0) return unreadable("stat", errno);
      if (S_ISLNK(status.st_mode)) return follow(next, status, path.substr(end));
      NOHALT_CHECK(check(next.get(), part));
      const bool is_last = path.find_first_not_of('/', end) == std::string::npos;
      if (is_last) return next;
      if (!S_ISDIR(status.st_mode)) return unreadable("open", ENOTDIR);
      folders_.push_back(std::move(next));
    }
  }

  // A link's own mode says nothing; who made it does.
  Result<UniqueFd> follow(const UniqueFd& link, const struct stat& status,
                          const std::string& rest) {
    if (!is_owner(status.st_uid)) return foreign("a link on the way to it", status.st_uid);
    if (++links_ > kMostLinks) return unreadable("open", ELOOP);
    std::array<char, PATH_MAX> target{};
    const ssize_t size = ::readlinkat(link.get(), "", target.data(), target.size());
    if (size <= 0 || static_cast<std::size_t>(size) == target.size())
      return unreadable("readlink", errno);
    const std::string leads_to(target.data(), static_cast<std::size_t>(size));
    if (leads_to.starts_with('/')) NOHALT_CHECK(start());
    return walk(leads_to + "/" + rest);
  }

  Status check(int fd, const std::string& part) const {
    struct stat status{};
    if (::fstat(fd, &status) != 0) return unreadable("stat", errno);
    const std::string what = part == "/" ? "the root folder" : escape_untrusted(part).text;
    if (!is_owner(status.st_uid)) return foreign(what, status.st_uid);
    const bool others_write = (status.st_mode & (S_IWGRP | S_IWOTH)) != 0;
    const bool keeps_owners = S_ISDIR(status.st_mode) && (status.st_mode & S_ISVTX) != 0;
    if (!others_write || keeps_owners) return {};
    return fail(ErrorCode::kDenied, "policy-writable",
                shown_ + " governs nothing, because others than its owner may write to " + what +
                    "; so nothing is allowed.",
                "Take the right to write from group and others: chmod go-w");
  }

  [[nodiscard]] bool is_owner(uid_t uid) const {
    return std::ranges::find(owners_, uid) != owners_.end();
  }

  [[nodiscard]] std::unexpected<Error> foreign(const std::string& what, uid_t owner) const {
    return fail(ErrorCode::kDenied, "policy-foreign",
                shown_ + " governs nothing, because " + what + " belongs to uid " +
                    std::to_string(owner) + "; so nothing is allowed.",
                "Rules belong to root or to who goes by them, and so do the folders they lie in.");
  }

  std::string shown_;
  const std::vector<uid_t>& owners_;
  std::vector<UniqueFd> folders_;
  int links_ = 0;
};

}  // namespace

Result<std::string> read_trusted(const std::string& path, const std::vector<uid_t>& owners,
                                 std::size_t limit) {
  Walk walk(path, owners);
  NOHALT_TRY(const UniqueFd found, walk.to(path));
  struct stat status{};
  if (::fstat(found.get(), &status) != 0) return walk.unreadable("stat", errno);
  if (!S_ISREG(status.st_mode)) return walk.unreadable("open", EINVAL);
  // The very file that was looked at, whatever has its name now.
  const std::string by_descriptor = "/proc/self/fd/" + std::to_string(found.get());
  const UniqueFd file(::open(by_descriptor.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return walk.unreadable("open", errno);
  std::string content(limit + 1, '\0');
  std::size_t size = 0;
  while (size < content.size()) {
    const ssize_t n = ::read(file.get(), content.data() + size, content.size() - size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return walk.unreadable("read", errno);
    if (n == 0) break;
    size += static_cast<std::size_t>(n);
  }
  if (size > limit)
    return fail(ErrorCode::kDenied, "policy-too-large",
                escape_untrusted(path).text + " is larger than " + std::to_string(limit / 1024) +
                    " KiB, so nothing is allowed.");
  content.resize(size);
  return content;
}

Status check_trusted(const std::string& path, const std::vector<uid_t>& owners) {
  NOHALT_TRY([[maybe_unused]] const UniqueFd found, Walk(path, owners).to(path));
  return {};
}

Result<UniqueFd> open_trusted_folder(const std::string& path, const std::vector<uid_t>& owners) {
  Walk walk(path, owners);
  NOHALT_TRY(UniqueFd found, walk.to(path));
  struct stat status{};
  if (::fstat(found.get(), &status) != 0) return walk.unreadable("stat", errno);
  if (!S_ISDIR(status.st_mode)) return walk.unreadable("open", ENOTDIR);
  return found;
}

}  // namespace nohalt::policy
