// A new file beside it gets the bytes, then the name.
#include "src/output/whole_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "policy/access/persons_power.h"
#include "src/base/escape.h"
#include "src/base/file.h"
#include "src/base/unique_fd.h"

namespace nohalt::output {

namespace {

std::unexpected<Error> unwritable(const std::string& path, const std::string& problem) {
  return fail(ErrorCode::kUsage, "output-unwritable",
              make_printable(path) + " cannot be written: " + problem + ".",
              "Name a new file in a folder of yours.");
}

std::string text_of(int error_number) { return std::generic_category().message(error_number); }

}  // namespace

Status may_write_file(const std::string& path) {
  NOHALT_TRY([[maybe_unused]] const auto power, policy::PersonsPower::take());
  struct stat status{};
  if (::lstat(path.c_str(), &status) == 0) {
    if (!S_ISREG(status.st_mode)) return unwritable(path, "it is not a regular file");
    if (status.st_uid != ::geteuid()) return unwritable(path, "it belongs to another user");
    if (status.st_nlink > 1) return unwritable(path, "it has more than one name");
  } else if (errno != ENOENT) {
    return unwritable(path, text_of(errno));
  }
  std::string folder = std::filesystem::path(path).parent_path();
  if (folder.empty()) folder = ".";
  if (::faccessat(AT_FDCWD, folder.c_str(), W_OK | X_OK, AT_EACCESS) != 0)
    return unwritable(path, "its folder: " + text_of(errno));
  return {};
}

Status write_whole_file(const std::string& path, std::string_view bytes) {
  NOHALT_CHECK(may_write_file(path));
  NOHALT_TRY([[maybe_unused]] const auto power, policy::PersonsPower::take());
  std::string unfinished = path + ".XXXXXX";
  const UniqueFd fd(::mkostemp(unfinished.data(), O_CLOEXEC));  // mode 0600
  if (!fd.valid()) return unwritable(path, text_of(errno));
  const bool is_done = write_all_at(fd.get(), std::as_bytes(std::span(bytes)), 0).has_value() &&
                       ::fsync(fd.get()) == 0 && ::rename(unfinished.c_str(), path.c_str()) == 0;
  if (is_done) return {};
  const int problem = errno;
  ::unlink(unfinished.c_str());
  return unwritable(path, text_of(problem));
}

}  // namespace nohalt::output
