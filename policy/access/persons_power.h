// With whose power a file is opened that a person named. Behind sudo everybody is root,
// and a name would reach whatever root's does: so such files are opened, made, renamed
// and removed as who logged in, with their uid and groups and none of root's
// capabilities, and the kernel decides as it does for them.
//
// Who became root without a login (a service), or logged in as root, is root.
//
// Threading: of the calling thread alone; one power at a time on it, the inner of two
// changes nothing.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "src/base/result.h"

namespace nohalt::policy {

// Who is behind the root that runs this, where that is somebody else.
[[nodiscard]] std::optional<uid_t> person_behind_root();

// While it lives the thread is that person, to the kernel's eye for files (and for all
// else that asks for the effective uid); its end gives root's power back. For anyone
// else it does nothing. Reason "no-power-of-yours", of kind kDenied.
class PersonsPower {
 public:
  [[nodiscard]] static Result<PersonsPower> take();
  [[nodiscard]] static PersonsPower none() { return {}; }
  PersonsPower(PersonsPower&& other) noexcept;
  PersonsPower& operator=(PersonsPower&&) = delete;
  ~PersonsPower();

  [[nodiscard]] bool is_changed() const { return is_changed_; }
  // Where that person's own files lie; empty: nothing changed, or none is known.
  [[nodiscard]] const std::string& home() const { return home_; }

 private:
  PersonsPower() = default;

  bool is_changed_ = false;
  gid_t gid_ = 0;              // root's own, to be given back
  std::vector<gid_t> groups_;  // as well
  std::string home_;
};

// read_file and read_file_start of a file that a person named.
[[nodiscard]] Result<std::string> read_persons_file(const std::string& path);
[[nodiscard]] Result<std::string> read_persons_file_start(const std::string& path,
                                                          std::size_t limit);

}  // namespace nohalt::policy
