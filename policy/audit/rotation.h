// A trail over several files. When the file is full or old it gets the name
// FILE.NNNNNNNNNNNN, the number of its last record, and a new one takes its place;
// the chain goes on in it, its first record (`rotated`) carrying the hash of the
// last one of the file before.
//
// Threading and processes: under the trail's lock.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "src/base/result.h"

namespace nohalt::policy {

struct RotationRule {
  std::uint64_t bytes = 64UL << 20;
  std::chrono::hours age{24 * 90};  // of its first record, by the wall clock
};

[[nodiscard]] bool is_rotation_due(int fd, const RotationRule& rule);

[[nodiscard]] std::string rotated_name(const std::string& path, std::uint64_t last_seq);

// Puts a file with `first_line` in the place of the trail's, whose last record is
// `last_seq`. Either all of it is done or the trail is as it was.
[[nodiscard]] Status rotate(const std::string& path, std::uint64_t last_seq,
                            const std::string& first_line);

// Whether the second name of the file was that of a rotation cut short, and is gone.
[[nodiscard]] bool take_back_rotation(int fd, const std::string& path, std::uint64_t last_seq);

// The files of a trail in the order of their records, the one at `path` last.
[[nodiscard]] std::vector<std::string> trail_files(const std::string& path);

}  // namespace nohalt::policy
