// Reading and writing one address space of a target.
//
// It works through an open descriptor of /proc/PID/mem, which is bound to the
// address space that the process had when it was opened: after an execve, reads
// and writes fail with "target-gone" instead of hitting the new program. Never
// ptrace's peek and poke, which need a stop and move one word at a time.
//
// Writing is for the tool's own scratch words and frames only, and for code while all
// threads stand still (text_patches.h). The kernel lets writes through that the
// mapping's protection forbids (it makes a private copy), so callers prove first that
// the mapping is writable, or that a copy is what they want.
//
// Threading: reads may run at once from several threads.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <span>
#include <vector>

#include "src/base/address.h"
#include "src/base/result.h"
#include "src/base/unique_fd.h"

namespace nohalt::target {

class Memory {
 public:
  // Needs the right to trace the process (reason "not-permitted" otherwise).
  [[nodiscard]] static Result<Memory> open(pid_t pid);

  // Fills `to` whole or fails: "unreadable-memory", or "target-gone".
  [[nodiscard]] Status read(RuntimeAddress from, std::span<std::byte> to) const;
  [[nodiscard]] Result<std::vector<std::byte>> read(const RuntimeRange& range) const;
  [[nodiscard]] Status write(RuntimeAddress to, std::span<const std::byte> bytes) const;

  template <class T>
  [[nodiscard]] Result<T> read_value(RuntimeAddress from) const {
    T value{};
    NOHALT_CHECK(read(from, std::as_writable_bytes(std::span(&value, 1))));
    return value;
  }

  // The descriptor of /proc/PID/mem; owned by this object.
  [[nodiscard]] int descriptor() const { return mem_.get(); }

 private:
  explicit Memory(UniqueFd mem) : mem_(std::move(mem)) {}
  UniqueFd mem_;
};

}  // namespace nohalt::target
