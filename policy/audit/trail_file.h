// The file of a trail: opened, locked, read at its end, written durably. A regular
// file of its owner's that nobody else may write; anything else is refused.
//
// Errors are of kind kDenied, reason audit-unwritable.
// Threading: plain functions over descriptors.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "policy/audit/trail_end.h"
#include "src/base/result.h"
#include "src/base/unique_fd.h"

namespace nohalt::policy {

[[nodiscard]] std::unexpected<Error> unwritable(const std::string& path,
                                                const std::string& problem);
[[nodiscard]] std::unexpected<Error> unwritable_errno(const std::string& path, const char* call);

// Makes the file where it is missing.
[[nodiscard]] Result<UniqueFd> open_trail_file(const std::string& path);

// Open and locked, and not moved away between the two. Waits for the lock.
[[nodiscard]] Result<UniqueFd> open_locked(const std::string& path,
                                           std::chrono::milliseconds patience);

[[nodiscard]] Result<TrailEnd> read_end(int fd, const std::string& path);

// In one write, and on the disk when it returns.
[[nodiscard]] Status append_durably(int fd, const std::string& path, std::string_view bytes);

}  // namespace nohalt::policy
