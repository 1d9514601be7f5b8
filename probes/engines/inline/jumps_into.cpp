// A page of a private mapping that was written to is anonymous: /proc/PID/pagemap says so by
// bit 61 (a page of a file, or shared), beside 62 (swapped out) and 63 (present). Source:
// Linux, Documentation/admin-guide/mm/pagemap.rst.
#include "probes/engines/inline/jumps_into.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "probes/engines/inline/found_runs.h"
#include "probes/runtime/layout.h"
#include "probes/target/target_gone.h"
#include "src/base/unique_fd.h"

namespace nohalt::engines {

namespace {

constexpr std::uint64_t kOfFile = 1ULL << 61;
constexpr std::uint64_t kHeld = 3ULL << 62;
constexpr std::size_t kJump = 5;
constexpr std::byte kJumpOpcode{0xe9};

bool is_in(std::span<const RuntimeRange> ranges, RuntimeAddress at) {
  return std::ranges::any_of(ranges,
                             [at](const RuntimeRange& range) { return range.contains(at); });
}

std::optional<RuntimeAddress> jump_on(std::span<const std::byte> page, RuntimeAddress begin,
                                      std::span<const RuntimeRange> ranges) {
  for (std::size_t i = 0; i + kJump <= page.size(); ++i) {
    if (page[i] != kJumpOpcode) continue;
    std::int32_t distance = 0;
    std::memcpy(&distance, page.data() + i + 1, sizeof distance);
    if (is_in(ranges, {(begin + i + kJump).value + static_cast<std::uint64_t>(distance)}))
      return begin + i;
  }
  return std::nullopt;
}

// Code of ours also leads on through addresses that it has as data.
std::optional<RuntimeAddress> address_on(std::span<const std::byte> code, RuntimeAddress begin,
                                         std::span<const RuntimeRange> ranges) {
  std::uint64_t word = 0;
  for (std::size_t i = 0; i + sizeof word <= code.size(); ++i) {
    std::memcpy(&word, code.data() + i, sizeof word);
    if (is_in(ranges, {word})) return begin + i;
  }
  return std::nullopt;
}

bool is_our_code(const target::Mapping& mapping) {
  return mapping.path == std::string("/memfd:") + runtime::kCodeName;
}

class WrittenPages {
 public:
  [[nodiscard]] static Result<WrittenPages> open(pid_t pid) {
    const std::string path = "/proc/" + std::to_string(pid) + "/pagemap";
    UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd.valid()) return target::fail_on_target("open", path, errno);
    return WrittenPages(std::move(fd));
  }

  Status add(const RuntimeRange& range, std::vector<RuntimeAddress>& pages) {
    for (std::uint64_t at = range.begin.value; at < range.end.value;) {
      const std::uint64_t count =
          std::min<std::uint64_t>(entries_.size(), (range.end.value - at) / kPageSize);
      const ssize_t n = ::pread(fd_.get(), entries_.data(), count * sizeof entries_[0],
                                static_cast<off_t>(at / kPageSize * sizeof entries_[0]));
      if (n <= 0) return target::fail_on_target("read", "the page map of the target", errno);
      const auto got = static_cast<std::size_t>(n) / sizeof entries_[0];
      for (std::size_t i = 0; i < got; ++i, at += kPageSize)
        if ((entries_[i] & kHeld) != 0 && (entries_[i] & kOfFile) == 0) pages.push_back({at});
    }
    return {};
  }

 private:
  explicit WrittenPages(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
  std::array<std::uint64_t, 4096> entries_{};
};

}  // namespace

Result<std::optional<RuntimeAddress>> find_jump_into(const target::Process& process,
                                                     const target::Memory& memory,
                                                     const target::Maps& maps,
                                                     std::span<const RuntimeRange> ranges) {
  if (ranges.empty()) return std::nullopt;
  for (const target::Mapping& mapping : maps.all()) {
    if (!is_our_code(mapping) || is_in(ranges, mapping.range.begin)) continue;
    const auto code = memory.read(mapping.range);
    if (!code) continue;  // unmapped since
    if (const auto found = jump_on(*code, mapping.range.begin, ranges)) return found;
    if (const auto found = address_on(*code, mapping.range.begin, ranges)) return found;
  }
  NOHALT_TRY(WrittenPages written, WrittenPages::open(process.pid()));
  std::vector<RuntimeAddress> pages;
  for (const target::Mapping& mapping : maps.all())
    if (mapping.executable && !mapping.shared && !mapping.anonymous() && !is_named_ours(mapping))
      NOHALT_CHECK(written.add(mapping.range, pages));
  std::vector<std::byte> bytes(kPageSize);
  for (const RuntimeAddress page : pages) {
    if (!memory.read(page, bytes)) continue;  // unmapped since
    if (const auto found = jump_on(bytes, page, ranges)) return found;
  }
  return std::nullopt;
}

}  // namespace nohalt::engines
