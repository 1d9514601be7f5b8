// The library that the spinner opens by itself (tests/targets/spinner.cpp).
#include <cstdint>

extern "C" __attribute__((noinline, aligned(4096))) std::uint32_t guest(std::uint32_t value,
                                                                        std::uint32_t count,
                                                                        std::uint32_t sum) {
  std::uint32_t result;
  asm volatile(
      "movl $0x11111111, %%eax\n\t"
      "addl %%edi, %%eax"
      : "=&a"(result)
      : "D"(value));
  return result + count + sum;
}
