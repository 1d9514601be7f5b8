// A file is written and synced under a name that nobody looks for, and then linked to
// its own: link(2) fails where that exists, atomically. The folder is walked to by
// descriptors and stays open, so that it cannot be exchanged.
#include "policy/approval/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <memory>
#include <random>
#include <span>
#include <system_error>

#include "policy/file/trusted.h"
#include "src/base/escape.h"
#include "src/base/file.h"

namespace nohalt::policy {

namespace {

constexpr std::size_t kLargest = 1024 * 1024;
constexpr std::string_view kUnfinished = ".new-";
constexpr std::time_t kLongestWriting = 3600;

std::unexpected<Error> unusable(const std::string& path, const std::string& problem) {
  return fail(ErrorCode::kDenied, "request-store-unusable",
              "Of the folder of requests, " + escape_untrusted(path).text +
                  " cannot be used: " + problem + ".",
              "Make the folder root's, with mode 0700 and room on its disk.");
}

std::unexpected<Error> unusable_errno(const std::string& path, const char* call) {
  const int error_number = errno;
  return unusable(path, std::string{call} + ": " + std::generic_category().message(error_number));
}

std::string unfinished_name() {
  std::random_device device;
  return std::string{kUnfinished} + std::to_string(::getpid()) + "-" + std::to_string(device());
}

// Gone with the object, whatever became of the file.
class Unfinished {
 public:
  Unfinished(int folder, std::string name) : folder_(folder), name_(std::move(name)) {}
  Unfinished(const Unfinished&) = delete;
  Unfinished& operator=(const Unfinished&) = delete;
  ~Unfinished() { ::unlinkat(folder_, name_.c_str(), 0); }

 private:
  int folder_;
  std::string name_;
};

}  // namespace

Result<OnceFiles> OnceFiles::open(const std::string& path, uid_t owner) {
  if (::geteuid() != owner)
    return fail(ErrorCode::kDenied, "no-request-store",
                "Requests for approval are kept by root alone, in " + escape_untrusted(path).text +
                    ", and nohalt does not run as root.",
                "Run it with sudo; who you are is known from your login.");
  const std::string above = path.substr(0, path.rfind('/'));
  for (const std::string& folder : {above, path})
    if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST)
      return unusable_errno(folder, "mkdir");
  auto found = open_trusted_folder(path, {0, owner});
  if (!found)
    return fail(ErrorCode::kDenied, "request-store-untrusted",
                "The folder of requests cannot be relied on: " + found.error().message,
                "Make it and all folders above it root's, and writable by nobody else.");
  // O_PATH can be neither read nor synced.
  UniqueFd folder(::openat(found->get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.valid()) return unusable_errno(path, "open");
  return OnceFiles(path, owner, std::move(folder));
}

Result<bool> OnceFiles::put(const std::string& name, std::string_view content) const {
  if (content.size() > kLargest)
    return fail(ErrorCode::kDenied, "request-too-large",
                "What would be asked or answered is larger than 1 MiB, so nobody could read it.",
                "Ask for fewer probes at once, or with shorter texts.");
  const std::string unfinished = unfinished_name();
  const UniqueFd file(::openat(folder_.get(), unfinished.c_str(),
                               O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file.valid()) return unusable_errno(path_, "open");
  const Unfinished remover(folder_.get(), unfinished);
  if (const auto bytes = std::as_bytes(std::span(content)); !write_all_at(file.get(), bytes, 0))
    return unusable_errno(path_, "write");
  if (::fsync(file.get()) != 0) return unusable_errno(path_, "fsync");
  if (::linkat(folder_.get(), unfinished.c_str(), folder_.get(), name.c_str(), 0) != 0) {
    if (errno == EEXIST) return false;
    return unusable_errno(path_, "link");
  }
  if (::fsync(folder_.get()) != 0) return unusable_errno(path_, "fsync");
  return true;
}

Result<std::vector<std::string>> OnceFiles::all_names() const {
  const int again = ::openat(folder_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (again < 0) return unusable_errno(path_, "open");
  const auto close = [](DIR* folder) { ::closedir(folder); };
  const std::unique_ptr<DIR, decltype(close)> folder(::fdopendir(again), close);
  if (!folder) {
    ::close(again);
    return unusable_errno(path_, "fdopendir");
  }
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(folder.get())) names.emplace_back(entry->d_name);
  return names;
}

Result<std::vector<std::string>> OnceFiles::names() const {
  NOHALT_TRY(std::vector<std::string> names, all_names());
  std::erase_if(names, [](const std::string& name) { return name.starts_with('.'); });
  return names;
}

bool OnceFiles::has(const std::string& name) const {
  struct stat status{};
  return ::fstatat(folder_.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 ||
         errno != ENOENT;
}

Result<std::string> OnceFiles::read(const std::string& name) const {
  const std::string shown = path_ + "/" + name;
  const UniqueFd file(
      ::openat(folder_.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!file.valid()) return unusable_errno(shown, "open");
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return unusable_errno(shown, "fstat");
  if (!S_ISREG(status.st_mode) || status.st_uid != owner_ || (status.st_mode & 077) != 0)
    return unusable(shown, "it is not a file of root's with mode 0600");
  if (status.st_size < 0 || static_cast<std::size_t>(status.st_size) > kLargest)
    return unusable(shown, "it is too large");
  std::string content(static_cast<std::size_t>(status.st_size), '\0');
  std::size_t filled = 0;
  while (filled < content.size()) {
    const ssize_t n = ::read(file.get(), content.data() + filled, content.size() - filled);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return unusable_errno(shown, "read");
    if (n == 0) break;
    filled += static_cast<std::size_t>(n);
  }
  content.resize(filled);
  return content;
}

bool OnceFiles::is_older(const std::string& name, std::chrono::hours age) const {
  struct stat status{};
  return ::fstatat(folder_.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
         std::chrono::seconds{::time(nullptr) - status.st_mtime} > age;
}

void OnceFiles::remove(const std::string& name) const {
  ::unlinkat(folder_.get(), name.c_str(), 0);
}

void OnceFiles::remove_unfinished() const {
  const auto names = all_names();
  if (!names) return;
  for (const std::string& name : *names) {
    struct stat status{};
    if (!name.starts_with(kUnfinished) ||
        ::fstatat(folder_.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
      continue;
    if (::time(nullptr) - status.st_mtime > kLongestWriting) remove(name);
  }
}

}  // namespace nohalt::policy
