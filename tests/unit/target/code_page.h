// Code in a page of its own that a child of the test can be inside of: it sets
// one word and stays until another one is set. Nothing on the test's own stack,
// which the child inherits, is an address in the code's range.
#pragma once

#include <sys/mman.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "src/base/address.h"

namespace nohalt::test {

class CodePage {
 public:
  CodePage()
      : at_(::mmap(nullptr, kPageSize, PROT_READ | PROT_WRITE | PROT_EXEC,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {
    constexpr std::array<std::uint8_t, 13> kBytes{0xc7, 0x06, 1, 0, 0, 0,  // mov dword ptr [rsi], 1
                                                  0x8b, 0x07,              // mov eax, [rdi]
                                                  0x85, 0xc0,              // test eax, eax
                                                  0x74, 0xfa,  // je to the second instruction
                                                  0xc3};
    std::memcpy(entry(), kBytes.data(), kBytes.size());
  }
  CodePage(const CodePage&) = delete;
  CodePage& operator=(const CodePage&) = delete;
  ~CodePage() { ::munmap(at_, kPageSize); }

  void stay(std::atomic<int>& until, std::atomic<int>& entered) const {
    reinterpret_cast<void (*)(std::atomic<int>*, std::atomic<int>*)>(entry())(&until, &entered);
  }
  [[nodiscard]] RuntimeRange range() const {
    const RuntimeAddress page{reinterpret_cast<std::uint64_t>(at_)};
    return {page + kEntry, page + kPageSize};
  }

 private:
  static constexpr std::size_t kEntry = 64;
  [[nodiscard]] void* entry() const { return static_cast<std::byte*>(at_) + kEntry; }

  void* at_;
};

}  // namespace nohalt::test
