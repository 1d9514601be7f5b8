// The new file is complete and on the disk before it is named. The full one gets a
// second name first, and loses the first one by the rename that puts the new file
// there: at no moment is there no trail, and what a power cut leaves is told by the
// second name.
#include "policy/audit/rotation.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>

#include "policy/audit/folder.h"
#include "policy/audit/scan.h"
#include "policy/audit/trail_file.h"
#include "src/base/time_text.h"
#include "src/base/unique_fd.h"

namespace nohalt::policy {

namespace {

constexpr std::size_t kSeqDigits = 12;

bool is_older(int fd, std::chrono::hours age) {
  std::array<char, 16 * 1024> buffer;
  const ssize_t count = ::pread(fd, buffer.data(), buffer.size(), 0);
  if (count <= 0) return false;
  const std::string_view start{buffer.data(), static_cast<std::size_t>(count)};
  const auto fields = scan_line(start.substr(0, start.find('\n')));
  if (!fields) return false;
  // Of one length and in UTC, times compare as texts.
  const auto oldest =
      now_wall_ns() - std::chrono::duration_cast<std::chrono::nanoseconds>(age).count();
  return fields->time < rfc3339_utc(oldest);
}

Status write_new_file(const std::string& path, const std::string& line) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return unwritable_errno(path, "unlink");
  const UniqueFd fd(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd.valid()) return unwritable_errno(path, "open");
  return append_durably(fd.get(), path, line + "\n");
}

Status exchange(const std::string& path, const std::string& rotated, const std::string& fresh) {
  const UniqueFd folder(::open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.valid()) return unwritable_errno(path, "open of its folder");
  if (::link(path.c_str(), rotated.c_str()) != 0) return unwritable_errno(rotated, "link");
  if (::rename(fresh.c_str(), path.c_str()) != 0) {
    auto failed = unwritable_errno(path, "rename");
    ::unlink(rotated.c_str());
    return failed;
  }
  // Both names are there; only whether a power cut takes them back is open.
  ::fsync(folder.get());
  return {};
}

}  // namespace

bool is_rotation_due(int fd, const RotationRule& rule) {
  struct stat status{};
  if (::fstat(fd, &status) != 0 || status.st_size == 0) return false;
  return static_cast<std::uint64_t>(status.st_size) >= rule.bytes || is_older(fd, rule.age);
}

std::string rotated_name(const std::string& path, std::uint64_t last_seq) {
  std::array<char, 32> digits{};
  std::snprintf(digits.data(), digits.size(), "%0*llu", static_cast<int>(kSeqDigits),
                static_cast<unsigned long long>(last_seq));
  return path + "." + digits.data();
}

Status rotate(const std::string& path, std::uint64_t last_seq, const std::string& first_line) {
  const std::string fresh = path + ".new";
  Status done = write_new_file(fresh, first_line);
  if (done) done = exchange(path, rotated_name(path, last_seq), fresh);
  if (!done) ::unlink(fresh.c_str());
  return done;
}

bool take_back_rotation(int fd, const std::string& path, std::uint64_t last_seq) {
  const std::string second = rotated_name(path, last_seq);
  struct stat ours{};
  struct stat other{};
  return ::fstat(fd, &ours) == 0 && ours.st_nlink == 2 && ::lstat(second.c_str(), &other) == 0 &&
         ours.st_dev == other.st_dev && ours.st_ino == other.st_ino &&
         ::unlink(second.c_str()) == 0;
}

std::vector<std::string> trail_files(const std::string& path) {
  std::vector<std::string> files;
  const std::string folder = folder_of(path);
  const std::string start = path.substr(path.rfind('/') + 1) + ".";
  struct Close {
    void operator()(DIR* open) const { ::closedir(open); }
  };
  struct stat ours{};
  const bool exists = ::lstat(path.c_str(), &ours) == 0;
  const std::unique_ptr<DIR, Close> open(::opendir(folder.c_str()));
  while (const dirent* entry = open ? ::readdir(open.get()) : nullptr) {
    const std::string_view name{entry->d_name};
    if (name.size() != start.size() + kSeqDigits || !name.starts_with(start) ||
        name.find_first_not_of("0123456789", start.size()) != name.npos)
      continue;
    const std::string file = path.substr(0, path.size() - start.size() + 1).append(name);
    struct stat status{};
    const bool same = exists && ::lstat(file.c_str(), &status) == 0 &&
                      status.st_ino == ours.st_ino && status.st_dev == ours.st_dev;
    if (!same) files.push_back(file);
  }
  std::ranges::sort(files);
  if (exists || files.empty()) files.push_back(path);
  return files;
}

}  // namespace nohalt::policy
