// Reading whole small files (such as those under /proc) and writing all bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "src/base/result.h"

namespace nohalt {

// The whole content. Errors name the path. At most 64 MiB.
[[nodiscard]] Result<std::string> read_file(const std::string& path);

// The first bytes of a file, at most `limit` of them.
[[nodiscard]] Result<std::string> read_file_start(const std::string& path, std::size_t limit);

// Writes all bytes at the offset, retrying short writes.
[[nodiscard]] Status write_all_at(int fd, std::span<const std::byte> bytes, std::uint64_t offset);

}  // namespace nohalt
