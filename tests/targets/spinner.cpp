// A debuggee: many threads that run four small functions, each on a code page of
// its own, as fast as they can, and check what these return and that no register,
// general or vector, ever changes under them. What they find goes to shared
// memory. The functions' first instructions differ in how they can be patched:
//
//   long_line   five bytes: a plain jump
//   punned      two bytes, with bytes behind them that lead a punned jump to free
//               addresses
//   evicted     two bytes, with bytes behind them that lead any punned jump below
//               address 0 (targets/evicted.c says how), so only together with
//               the next instruction, which is also branched to
//   several     four bytes, with bytes behind them that forbid all of this: only a
//               jump over several instructions fits (targets/several.c says how)
//
//   spinner THREADS STATUS_FILE
//
// Where SPINNER_GUEST names a library, they run its `guest` too, which is as long_line is
// but may be unloaded.
//
// Not position independent, since `evicted` counts on nothing lying below it.
// Ends with its parent.
#include "tests/targets/spinner.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdlib>
#include <span>
#include <thread>
#include <vector>

using nohalt::targets::SpinnerStatus;

extern "C" {

__attribute__((noinline, aligned(4096))) std::uint32_t long_line(std::uint32_t value,
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

__attribute__((noinline, aligned(4096))) std::uint32_t punned(std::uint32_t value,
                                                              std::uint32_t count,
                                                              std::uint32_t sum) {
  std::uint32_t result;
  asm volatile(
      "movl %%edi, %%eax\n\t"
      "addl $0x11223344, %%eax"
      : "=&a"(result)
      : "D"(value));
  return result + count + sum;
}

__attribute__((noinline, aligned(4096))) std::uint32_t evicted(std::uint32_t value,
                                                               std::uint32_t count,
                                                               std::uint32_t sum) {
  std::uint32_t low;
  std::uint32_t high;
  asm volatile(
      "incl %%edi\n\t"
      "2: leal -0x70(%%rdi), %%eax\n\t"
      "leal 5(%%rdi), %%ecx\n\t"
      "addl %%eax, %%edx\n\t"
      "addl %%ecx, %%edx\n\t"
      "decl %%esi\n\t"
      "jnz 2b"
      : "+D"(value), "+S"(count), "+d"(sum), "=&a"(low), "=&c"(high));
  return sum + low + high;
}

// What it keeps below the stack pointer is nobody else's: it calls nothing.
__attribute__((noinline, aligned(4096))) std::uint32_t several(std::uint32_t value,
                                                               std::uint32_t count,
                                                               std::uint32_t sum) {
  std::uint32_t result;
  std::uint32_t other;
  asm volatile(
      "movl %%edi, -8(%%rsp)\n\t"
      "xchgl %%ecx, %%eax\n\t"
      "xchgl %%edx, %%eax\n\t"
      "cwtl\n\t"
      "xchgl %%ecx, %%eax\n\t"
      "cltd\n\t"
      "movl -8(%%rsp), %%eax\n\t"
      "addl %%ecx, %%eax"
      : "=&a"(result), "=&c"(other), "+d"(sum)
      : "D"(value)
      : "memory");
  return result + count;
}

}  // extern "C"

namespace {

using Function = std::uint32_t (*)(std::uint32_t, std::uint32_t, std::uint32_t);
constexpr std::uint32_t kSum = 7;

std::uint32_t expected_long_line(std::uint32_t value, std::uint32_t count) {
  return value + 0x11111111 + count + kSum;
}
std::uint32_t expected_punned(std::uint32_t value, std::uint32_t count) {
  return value + 0x11223344 + count + kSum;
}
std::uint32_t expected_several(std::uint32_t value, std::uint32_t count) {
  return value + count + kSum;
}
std::uint32_t expected_evicted(std::uint32_t value, std::uint32_t count) {
  return (count + 1) * (2 * (value + 1) - 0x70 + 5) + kSum;
}

// Calls the function with every callee-saved and some vector registers holding
// known values; true if they all still hold them.
bool one_call(Function function, std::uint64_t seed, std::uint32_t count, std::uint32_t& result) {
  std::uint64_t changed = seed;  // and the function's first argument
  std::uint64_t second = count;
  std::uint64_t third = kSum;
  std::uint64_t returned = reinterpret_cast<std::uint64_t>(function);
  asm volatile(R"(
      sub $128, %%rsp
      push %%rbx; push %%rbp; push %%r12; push %%r13; push %%r14; push %%r15
      mov %%rdi, %%rbx; lea 1(%%rbx), %%r12; lea 2(%%rbx), %%r13
      lea 3(%%rbx), %%r14; lea 4(%%rbx), %%r15; lea 5(%%rbx), %%rbp
      movq %%r12, %%xmm0; movq %%r13, %%xmm7; movq %%r14, %%xmm15
      call *%%rax
      xor %%edi, %%edi
      lea 1(%%rbx), %%rcx; xor %%rcx, %%r12; or %%r12, %%rdi
      movq %%xmm0, %%r12; xor %%rcx, %%r12; or %%r12, %%rdi
      lea 2(%%rbx), %%rcx; xor %%rcx, %%r13; or %%r13, %%rdi
      movq %%xmm7, %%r13; xor %%rcx, %%r13; or %%r13, %%rdi
      lea 3(%%rbx), %%rcx; xor %%rcx, %%r14; or %%r14, %%rdi
      movq %%xmm15, %%r14; xor %%rcx, %%r14; or %%r14, %%rdi
      lea 4(%%rbx), %%rcx; xor %%rcx, %%r15; or %%r15, %%rdi
      lea 5(%%rbx), %%rcx; xor %%rcx, %%rbp; or %%rbp, %%rdi
      pop %%r15; pop %%r14; pop %%r13; pop %%r12; pop %%rbp; pop %%rbx
      add $128, %%rsp
    )"
               : "+a"(returned), "+D"(changed), "+S"(second), "+d"(third)
               :
               : "rcx", "r8", "r9", "r10", "r11", "xmm0", "xmm7", "xmm15", "memory", "cc");
  result = static_cast<std::uint32_t>(returned);
  return changed == 0;
}

// Null where there is none.
Function open_guest() {
  const char* library = std::getenv("SPINNER_GUEST");
  if (library == nullptr) return nullptr;
  void* handle = ::dlopen(library, RTLD_NOW);
  if (handle == nullptr) std::exit(1);
  return reinterpret_cast<Function>(::dlsym(handle, "guest"));
}

void spin(SpinnerStatus& status, std::uint64_t seed, Function guest) {
  struct Case {
    Function function;
    std::uint32_t (*expected)(std::uint32_t, std::uint32_t);
  };
  const Case all[] = {{long_line, expected_long_line},
                      {punned, expected_punned},
                      {evicted, expected_evicted},
                      {several, expected_several},
                      {guest, expected_long_line}};
  const std::span cases = std::span(all).first(guest == nullptr ? 4 : 5);
  for (;;) {
    constexpr std::uint64_t kCalls = 10'000;
    std::uint64_t bad = 0;
    for (std::uint64_t i = 0; i < kCalls; ++i) {
      const Case& now = cases[i % cases.size()];
      seed += 0x9e3779b97f4a7c15ULL;
      const auto count = static_cast<std::uint32_t>(1 + i % 4);
      std::uint32_t result = 0;
      const bool kept = one_call(now.function, seed, count, result);
      if (!kept || result != now.expected(static_cast<std::uint32_t>(seed), count)) ++bad;
    }
    status.calls += kCalls;
    status.bad += bad;
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int fd = ::open(argv[2], O_RDWR | O_CREAT | O_TRUNC, 0600);
  if (fd < 0 || ::ftruncate(fd, sizeof(SpinnerStatus)) != 0) return 1;
  void* page = ::mmap(nullptr, sizeof(SpinnerStatus), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (page == MAP_FAILED) return 1;
  ::close(fd);
  auto& status = *static_cast<SpinnerStatus*>(page);
  const Function guest = open_guest();
  std::vector<std::thread> threads;
  for (int i = 0; i < std::atoi(argv[1]); ++i)
    threads.emplace_back([&, i] { spin(status, static_cast<std::uint64_t>(i), guest); });
  status.ready = 1;
  for (auto& thread : threads) thread.join();
}
