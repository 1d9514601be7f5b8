// A trail's lines in order, over all its files, as it stood when it was opened: what
// is appended meanwhile is not part of it. Memory stays flat whatever the size.
//
// Errors are of kind kUsage, reason unreadable-trail.
// Threading: one thread; a trail may be read while it is written.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/result.h"
#include "src/base/unique_fd.h"

namespace nohalt::policy {

struct TrailLine {
  std::string_view bytes;     // without the newline
  const std::string& file;    // by its path
  std::uint64_t number = 0;   // in its file, from 1
  bool is_continued = false;  // the line is longer than is kept at once; more of it follows
};

class TrailReader {
 public:
  // `path`: the live file, whose rotated ones come first, or any file by itself.
  [[nodiscard]] static Result<TrailReader> open(const std::string& path);

  using Take = std::function<void(const TrailLine&)>;
  // From the beginning, at each call.
  [[nodiscard]] Status read(const Take& take) const;

  [[nodiscard]] const std::string& path() const { return parts_.back().path; }
  [[nodiscard]] std::size_t files() const { return parts_.size(); }

 private:
  struct Part {
    std::string path;
    UniqueFd fd;
    std::uint64_t size = 0;
  };

  [[nodiscard]] static Result<Part> open_part(const std::string& path);
  [[nodiscard]] static Status read_part(const Part& part, const Take& take);

  std::vector<Part> parts_;
};

}  // namespace nohalt::policy
