// Folders are opened one in the other and looked at by their descriptors, so that what was
// judged is what is read, whatever has its name by then. A file gets its name when it is
// whole.
//
// The checksum is FNV-1a of 64 bits (Fowler, Noll, Vo): it is against accidents. Against
// other people there is the owner.
#include "probes/symbols/index_store.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "src/base/file.h"
#include "src/base/unique_fd.h"

namespace nohalt::symbols {

namespace {

constexpr std::string_view kFormat = "nohalt index 1";
constexpr std::uint64_t kLargestFile = 32U << 20U;
constexpr std::uint64_t kLargestFolder = 64U << 20U;
constexpr mode_t kOthersWrite = S_IWGRP | S_IWOTH;

std::uint64_t checksum(std::string_view bytes) {
  std::uint64_t value = 0xcbf29ce484222325U;
  for (const char c : bytes) value = (value ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  return value;
}

bool is_own(int fd, mode_t type, struct stat& facts) {
  return ::fstat(fd, &facts) == 0 && (facts.st_mode & S_IFMT) == type &&
         facts.st_uid == ::geteuid() && (facts.st_mode & kOthersWrite) == 0;
}

// Invalid: there is none that is to be trusted, and none could be made.
UniqueFd own_folder(int in, const char* name, int how) {
  if (::mkdirat(in, name, 0700) != 0 && errno != EEXIST) return {};
  UniqueFd folder(::openat(in, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | how));
  struct stat facts{};
  if (!folder.valid() || !is_own(folder.get(), S_IFDIR, facts)) return {};
  return folder;
}

// Root that somebody logged in as: what that person's environment names is not for root to
// write to. Where nobody's login is kept, what made somebody root tells.
bool is_somebodys_root() {
  if (::geteuid() != 0) return false;
  for (const char* mark : {"SUDO_UID", "DOAS_USER", "PKEXEC_UID"})
    if (std::getenv(mark) != nullptr) return true;
  const auto login = read_file("/proc/self/loginuid");
  return login && *login != "0" && *login != "4294967295";
}

// Empty: there is none.
std::string cache_folder() {
  if (is_somebodys_root()) return "/var/cache";
  const char* cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && *cache != '\0') return cache;
  const char* home = std::getenv("HOME");
  return home != nullptr && *home != '\0' ? std::string(home) + "/.cache" : "";
}

// Made only in what is one's own. Root follows no link there, which may lead anywhere.
UniqueFd outer_folder(const std::string& path) {
  const int how = ::geteuid() == 0 ? O_NOFOLLOW : 0;
  const std::size_t slash = path.rfind('/');
  const std::string parent = path.substr(0, std::max<std::size_t>(slash, 1));
  const UniqueFd within(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  struct stat facts{};
  if (!within.valid()) return {};
  const char* name = path.c_str() + slash + 1;
  if (is_own(within.get(), S_IFDIR, facts)) return own_folder(within.get(), name, how);
  UniqueFd folder(::openat(within.get(), name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | how));
  if (!folder.valid() || !is_own(folder.get(), S_IFDIR, facts)) return {};
  return folder;
}

UniqueFd index_folder() {
  if (std::getenv("NOHALT_NO_CACHE") != nullptr) return {};
  std::string path = cache_folder();
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  if (!path.starts_with('/')) return {};
  UniqueFd folder = outer_folder(path);
  for (const char* name : {"nohalt", "index"})
    if (folder.valid()) folder = own_folder(folder.get(), name, O_NOFOLLOW);
  return folder;
}

std::string head_of(const IndexKey& key) {
  const struct stat& file = key.file;
  std::string head(kFormat);
  for (const auto number :
       {static_cast<std::int64_t>(file.st_dev), static_cast<std::int64_t>(file.st_ino),
        static_cast<std::int64_t>(file.st_size), static_cast<std::int64_t>(file.st_mtim.tv_sec),
        static_cast<std::int64_t>(file.st_mtim.tv_nsec),
        static_cast<std::int64_t>(file.st_ctim.tv_sec),
        static_cast<std::int64_t>(file.st_ctim.tv_nsec)})
    head += " " + std::to_string(number);
  return head + " " + key.build_id + " " + key.code + " " + key.kind + "\n";
}

std::string name_of(const IndexKey& key) {
  return key.build_id + "-" + std::to_string(checksum(head_of(key))) + "." + key.kind;
}

std::string sum_text(std::string_view head, std::string_view content) {
  const std::uint64_t sum = checksum(std::string(head).append(content));
  std::string text(sizeof sum, '\0');
  std::memcpy(text.data(), &sum, sizeof sum);
  return text;
}

// The files that were used longest ago, until the rest is small enough.
void bound(int folder) {
  struct File {
    std::int64_t used = 0;
    std::uint64_t size = 0;
    std::string name;
  };
  struct CloseFolder {
    void operator()(DIR* open) const { ::closedir(open); }
  };
  const std::unique_ptr<DIR, CloseFolder> listed(
      ::fdopendir(::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)));
  if (!listed) return;
  std::vector<File> files;
  std::uint64_t total = 0;
  while (const dirent* entry = ::readdir(listed.get())) {
    struct stat facts{};
    if (::fstatat(folder, entry->d_name, &facts, AT_SYMLINK_NOFOLLOW) != 0 ||
        !S_ISREG(facts.st_mode))
      continue;
    files.push_back(
        {facts.st_mtim.tv_sec, static_cast<std::uint64_t>(facts.st_size), entry->d_name});
    total += files.back().size;
  }
  std::ranges::sort(files, {}, &File::used);
  for (const File& file : files) {
    if (total <= kLargestFolder) return;
    if (::unlinkat(folder, file.name.c_str(), 0) == 0) total -= file.size;
  }
}

}  // namespace

std::optional<std::string> read_index(const IndexKey& key) {
  const UniqueFd folder = index_folder();
  if (key.build_id.empty() || !folder.valid()) return std::nullopt;
  const UniqueFd file(
      ::openat(folder.get(), name_of(key).c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat facts{};
  if (!file.valid() || !is_own(file.get(), S_IFREG, facts)) return std::nullopt;
  if (static_cast<std::uint64_t>(facts.st_size) > kLargestFile) return std::nullopt;
  std::string bytes(static_cast<std::size_t>(facts.st_size), '\0');
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t got =
        ::pread(file.get(), bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return std::nullopt;
    done += static_cast<std::size_t>(got);
  }
  const std::string head = head_of(key);
  if (!bytes.starts_with(head) || bytes.size() < head.size() + sizeof(std::uint64_t))
    return std::nullopt;
  const std::string_view content = std::string_view(bytes).substr(
      head.size(), bytes.size() - head.size() - sizeof(std::uint64_t));
  if (!bytes.ends_with(sum_text(head, content))) return std::nullopt;
  ::futimens(file.get(), nullptr);
  return std::string(content);
}

void keep_index(const IndexKey& key, std::string_view content) {
  const std::string head = head_of(key);
  if (key.build_id.empty() || head.size() + content.size() > kLargestFile / 2) return;
  const UniqueFd folder = index_folder();
  if (!folder.valid()) return;
  const std::string name = name_of(key);
  const std::string unnamed = name + "." + std::to_string(::getpid());
  const std::string bytes = std::string(head).append(content) + sum_text(head, content);
  ::unlinkat(folder.get(), unnamed.c_str(), 0);  // of one that died with this number
  const UniqueFd file(::openat(folder.get(), unnamed.c_str(),
                               O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file.valid()) return;
  if (!write_all_at(file.get(), std::as_bytes(std::span(bytes)), 0) ||
      ::renameat(folder.get(), unnamed.c_str(), folder.get(), name.c_str()) != 0)
    ::unlinkat(folder.get(), unnamed.c_str(), 0);
  bound(folder.get());
}

}  // namespace nohalt::symbols
