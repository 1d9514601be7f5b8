// A debuggee: many threads that run one small function on a code page of its own
// as fast as they can, and check what it returns and that no register, general or
// vector, ever changes under them. What they find goes to shared memory.
//
//   spinner THREADS STATUS_FILE
//
// Ends with its parent, or after twenty minutes.
#include "tests/targets/spinner.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdlib>
#include <thread>
#include <vector>

using nohalt::targets::SpinnerStatus;

// The function returns its immediate. A test changes the immediate in the page
// that is run, so that the counts prove which page ran.
asm(R"(
  .pushsection .text.spinner, "ax", @progbits
  .p2align 12
  .fill 4096, 1, 0x90
  .globl spinner_site
  .type spinner_site, @function
spinner_site:
  mov $0x11111111, %eax
  ret
  .p2align 12
  .fill 4096, 1, 0x90
  .popsection
)");
extern "C" int spinner_site();

namespace {

// Runs the function with every callee-saved and vector register holding a known
// value; true if they all still hold it.
bool one_round(std::uint64_t seed, int& result) {
  std::uint64_t changed = 0;
  asm volatile(R"(
      sub $128, %%rsp
      push %%rbx; push %%rbp; push %%r12; push %%r13; push %%r14; push %%r15
      mov %[seed], %%rbx; lea 1(%%rbx), %%r12; lea 2(%%rbx), %%r13
      lea 3(%%rbx), %%r14; lea 4(%%rbx), %%r15
      movq %%r12, %%xmm0; movq %%r13, %%xmm7; movq %%r14, %%xmm15
      call spinner_site
      xor %[changed], %[changed]
      lea 1(%%rbx), %%rcx; xor %%rcx, %%r12; or %%r12, %[changed]
      movq %%xmm0, %%r12; xor %%rcx, %%r12; or %%r12, %[changed]
      lea 2(%%rbx), %%rcx; xor %%rcx, %%r13; or %%r13, %[changed]
      movq %%xmm7, %%r13; xor %%rcx, %%r13; or %%r13, %[changed]
      lea 3(%%rbx), %%rcx; xor %%rcx, %%r14; or %%r14, %[changed]
      movq %%xmm15, %%r14; xor %%rcx, %%r14; or %%r14, %[changed]
      lea 4(%%rbx), %%rcx; xor %%rcx, %%r15; or %%r15, %[changed]
      pop %%r15; pop %%r14; pop %%r13; pop %%r12; pop %%rbp; pop %%rbx
      add $128, %%rsp
    )"
               : [result] "=&a"(result), [changed] "=&D"(changed)
               : [seed] "S"(seed)
               : "rcx", "rdx", "r8", "r9", "r10", "r11", "xmm0", "xmm7", "xmm15", "memory", "cc");
  return changed == 0;
}

void spin(SpinnerStatus& status, std::uint64_t seed) {
  for (;;) {
    std::uint64_t original = 0;
    std::uint64_t patched = 0;
    std::uint64_t bad = 0;
    for (int i = 0; i < 10000; ++i) {
      int result = 0;
      const bool kept = one_round(seed += 0x9e3779b97f4a7c15ULL, result);
      if (kept && result == nohalt::targets::kOriginalResult)
        ++original;
      else if (kept && result == nohalt::targets::kPatchedResult)
        ++patched;
      else
        ++bad;
    }
    status.original += original;
    status.patched += patched;
    status.bad += bad;
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::alarm(1200);
  const int fd = ::open(argv[2], O_RDWR | O_CREAT | O_TRUNC, 0600);
  if (fd < 0 || ::ftruncate(fd, sizeof(SpinnerStatus)) != 0) return 1;
  void* page = ::mmap(nullptr, sizeof(SpinnerStatus), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (page == MAP_FAILED) return 1;
  ::close(fd);
  auto& status = *static_cast<SpinnerStatus*>(page);
  std::vector<std::thread> threads;
  for (int i = 0; i < std::atoi(argv[1]); ++i)
    threads.emplace_back([&, i] { spin(status, static_cast<std::uint64_t>(i)); });
  status.site = reinterpret_cast<std::uint64_t>(&spinner_site);
  status.ready = 1;
  for (auto& thread : threads) thread.join();
}
