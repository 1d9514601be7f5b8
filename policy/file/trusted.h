// Reading a file that rules come from: only where nobody could have put it there,
// or changed it, who may not make rules.
//
// Threading: no state.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <vector>

#include "src/base/result.h"
#include "src/base/unique_fd.h"

namespace nohalt::policy {

// The content of a regular file of at most `limit` bytes. It, every folder on the way
// to it and every link that is followed must belong to one of `owners`, and be
// writable by nobody else; of folders where anyone may write but only remove their own
// (as /tmp), what lies in them counts. What is read is what was checked.
//
// Errors are of kind kDenied: policy-unreadable, policy-writable (by others),
// policy-foreign (it belongs to somebody else), policy-too-large.
[[nodiscard]] Result<std::string> read_trusted(const std::string& path,
                                               const std::vector<uid_t>& owners, std::size_t limit);

// Whether a file or folder is such a one; what lies in a folder is not looked at.
[[nodiscard]] Status check_trusted(const std::string& path, const std::vector<uid_t>& owners);

// Such a folder, open (O_PATH): the one that was looked at, whatever has its name now.
[[nodiscard]] Result<UniqueFd> open_trusted_folder(const std::string& path,
                                                   const std::vector<uid_t>& owners);

}  // namespace nohalt::policy
