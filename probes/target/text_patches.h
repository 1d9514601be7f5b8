// Bytes of code written in place while all threads stand still: for code of a library
// that may be unloaded, whose page cannot be swapped by a call of the helper's, since
// that might come late and hit what was mapped there meanwhile.
//
// Nothing is written unless all of it is still mapped from the file and place that is
// meant, and holds the bytes that are expected. The kernel keeps a private copy of a
// page that is written so; it goes with the mapping.
//
// Threading: one thread, of the tracer process. Ownership: outlives neither `patches`
// nor `memory`.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "probes/target/maps.h"
#include "probes/target/memory.h"
#include "src/base/address.h"
#include "src/base/result.h"
#include "src/base/unique_fd.h"

namespace nohalt::target {

// Two jumps back to back with all their prefixes are no longer.
inline constexpr std::size_t kLongestTextPatch = 16;

struct TextPatch {
  RuntimeAddress at;         // all of it is on one page
  FileId file;               // that is mapped there, private and executable
  std::uint64_t offset = 0;  // of `at` in the file
  std::uint32_t size = 0;    // bytes
  std::array<std::byte, kLongestTextPatch> before{};
  std::array<std::byte, kLongestTextPatch> after{};
};

class TextPatches {
 public:
  // Opens what is asked later; looks at nothing yet.
  [[nodiscard]] static Result<TextPatches> open(pid_t pid, const Memory& memory,
                                                std::span<const TextPatch> patches);

  // All are as expected. Reason "text-changed": they are not, and this is no passing state.
  // Opens and allocates nothing.
  [[nodiscard]] Status check();
  // After check(), while nobody has run. All are written, or none unless the reason is
  // "code-half-written"; "code-not-writable": the kernel forbids it.
  [[nodiscard]] Status write() const;

 private:
  TextPatches(const Memory& memory, std::span<const TextPatch> patches, UniqueFd maps)
      : memory_(&memory),
        patches_(patches),
        maps_(std::move(maps)),
        is_mapped_(patches.size()),
        text_(kTextSize) {}
  [[nodiscard]] Status look_at_mappings();
  void look_at_line(std::string_view line);

  static constexpr std::size_t kTextSize = 64 * 1024;
  const Memory* memory_;
  std::span<const TextPatch> patches_;
  UniqueFd maps_;
  std::vector<bool> is_mapped_;  // of each patch
  std::vector<char> text_;
};

}  // namespace nohalt::target
