// A folder of small files, each written once and whole, and never changed: so readers
// need no lock, a crash leaves nothing half, and of several writers of one name exactly
// one succeeds.
//
// Errors are of kind kDenied, reason request-store-unusable, request-store-untrusted,
// no-request-store or request-too-large.
// Threading and processes: any number of each.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/result.h"
#include "src/base/unique_fd.h"

namespace nohalt::policy {

class OnceFiles {
 public:
  // A folder of `owner`'s that nobody else can write to, nor to what leads to it. It is
  // made (0700) where it is missing, which only the owner can.
  [[nodiscard]] static Result<OnceFiles> open(const std::string& path, uid_t owner);

  // False: there is a file of this name. On the disk when it returns.
  [[nodiscard]] Result<bool> put(const std::string& name, std::string_view content) const;
  [[nodiscard]] Result<std::vector<std::string>> names() const;
  [[nodiscard]] bool has(const std::string& name) const;
  // Of a regular file of the owner's that nobody else may read; an error where it is
  // another or too large.
  [[nodiscard]] Result<std::string> read(const std::string& name) const;
  // Whether it was written longer ago than this.
  [[nodiscard]] bool is_older(const std::string& name, std::chrono::hours age) const;
  void remove(const std::string& name) const;
  // Takes away what writers left that were ended while they wrote, long ago.
  void remove_unfinished() const;

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  OnceFiles(std::string path, uid_t owner, UniqueFd folder)
      : path_(std::move(path)), owner_(owner), folder_(std::move(folder)) {}
  [[nodiscard]] Result<std::vector<std::string>> all_names() const;

  std::string path_;
  uid_t owner_ = 0;
  UniqueFd folder_;
};

}  // namespace nohalt::policy
