// Runs a few bytes of machine code in this process with chosen registers, flags
// and memory, and tells what they became. For comparing an instruction with its
// relocated form. One at a time: it uses process-wide signal handlers.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace nohalt::test {

struct alignas(64) CpuState {
  std::array<std::uint64_t, 16>
      general{};  // by register number: rax rcx rdx rbx rsp rbp rsi rdi r8..
  std::uint64_t flags = 0x202;
  std::uint32_t exit = 0;
  std::uint32_t mxcsr = 0x1f80;
  std::array<std::uint64_t, 6> unused{};
  std::array<std::array<std::uint8_t, 32>, 16> vector{};

  friend bool operator==(const CpuState&, const CpuState&) = default;
};
static_assert(offsetof(CpuState, flags) == 128 && offsetof(CpuState, vector) == 192);

enum class Exit : std::uint32_t { kNext = 1, kBranch = 2, kReturn = 3 };

struct Outcome {
  CpuState state;
  std::vector<std::uint8_t> memory;  // data, then stack
  int signal = 0;                    // other than 0: it faulted, and state is the input
  std::uint64_t fault_address = 0;

  friend bool operator==(const Outcome& a, const Outcome& b) {
    return a.signal == b.signal && (a.signal != 0 ? a.fault_address == b.fault_address
                                                  : a.state == b.state && a.memory == b.memory);
  }
};

class Harness {
 public:
  static constexpr std::size_t kDataSize = 4096;
  static constexpr std::size_t kCodeSize = 4096;

  Harness();
  ~Harness();
  Harness(const Harness&) = delete;
  Harness& operator=(const Harness&) = delete;

  // Everything was mapped, and the processor has AVX.
  [[nodiscard]] bool usable() const { return usable_; }

  // Addresses: where originals go, where relocated code goes (within 2 GiB of
  // it, and beyond), the data and the stack (each kDataSize, guarded).
  [[nodiscard]] std::uint64_t original() const { return arena_ + kCodeSize / 2; }
  [[nodiscard]] std::uint64_t near_code() const { return arena_ + kCodeSize; }
  [[nodiscard]] std::uint64_t far_code() const { return far_; }
  [[nodiscard]] std::uint64_t data() const { return arena_ + 3 * kCodeSize; }
  [[nodiscard]] std::uint64_t stack() const { return data() + 2 * kDataSize; }

  void write_code(std::uint64_t at, std::span<const std::uint8_t> code);
  // A jump to the exit, 14 bytes, that disturbs nothing.
  void write_exit(std::uint64_t at, Exit exit);
  [[nodiscard]] static std::uint64_t exit_address(Exit exit);

  // Enters at `entry` with `memory` (2 * kDataSize bytes) laid out first.
  [[nodiscard]] Outcome run(const CpuState& state, std::span<const std::uint8_t> memory,
                            std::uint64_t entry);

 private:
  std::uint64_t arena_ = 0;
  std::uint64_t far_ = 0;
  bool usable_ = false;
  std::vector<std::uint8_t> signal_stack_;
};

}  // namespace nohalt::test
