// A page that can be written and run, for tests that execute what they made.
#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>

#include "src/base/address.h"

namespace nohalt::inline_sites {

class CodePage {
 public:
  explicit CodePage(std::uint64_t at) {
    void* wanted = reinterpret_cast<void*>(at);
    page_ = mmap(wanted, kPageSize, PROT_READ | PROT_WRITE | PROT_EXEC,
                 MAP_PRIVATE | MAP_ANONYMOUS | (at != 0 ? MAP_FIXED_NOREPLACE : 0), -1, 0);
  }
  ~CodePage() {
    if (usable()) munmap(page_, kPageSize);
  }
  CodePage(const CodePage&) = delete;
  CodePage& operator=(const CodePage&) = delete;
  [[nodiscard]] bool usable() const { return page_ != MAP_FAILED; }
  [[nodiscard]] bool holds(std::uint64_t at, std::size_t size) const {
    return usable() && address() <= at && at + size <= address() + kPageSize;
  }
  static void write(std::uint64_t at, std::span<const std::uint8_t> code) {
    std::memcpy(reinterpret_cast<void*>(at), code.data(), code.size());
  }
  // Calls code that takes nothing and returns a number.
  static int call(std::uint64_t at) { return reinterpret_cast<int (*)()>(at)(); }
  [[nodiscard]] std::uint64_t address() const { return reinterpret_cast<std::uint64_t>(page_); }

 private:
  void* page_;
};

}  // namespace nohalt::inline_sites
