// Threads that run a line whose first instruction is too short for a jump, with
// bytes behind it that lead any punned jump below address 0: only together with
// the next instruction can it be patched. That next one is also branched to.
// On SIGTERM the program exits 0 when every result was right.
//
// The bytes, for a program at 0x400000 (not position independent):
//   ff c7       incl %edi
//   8d 47 90    leal -0x70(%rdi),%eax    a jump's distance that ends with 90 or
//   8d 4f 05    leal 5(%rdi),%ecx        8d is negative; one that ends with 4f
//                                        leads beyond the heap
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <unistd.h>

enum { kThreads = 4 };

static volatile sig_atomic_t ended;
static _Atomic uint64_t wrong;

static void on_term(int signal_number) {
  (void)signal_number;
  ended = 1;
}

__attribute__((noinline)) uint32_t rounds(uint32_t value, uint32_t count, uint32_t sum) {
  uint32_t low, high;
  __asm__ volatile(
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

static void* run(void* first) {
  for (uint32_t i = (uint32_t)(uintptr_t)first; !ended; ++i) {
    const uint32_t count = 1 + i % 3;
    const uint32_t once = 2 * (i + 1) - 0x70 + 5;
    if (rounds(i, count, 7) != (count + 1) * once + 7) atomic_fetch_add(&wrong, 1);
  }
  return NULL;
}

int main(void) {
  const struct sigaction action = {.sa_handler = on_term};
  sigaction(SIGTERM, &action, NULL);
  pthread_t threads[kThreads];
  for (uintptr_t i = 0; i < kThreads; ++i)
    if (pthread_create(&threads[i], NULL, run, (void*)(i << 28)) != 0) return 2;
  if (write(STDOUT_FILENO, "ready\n", 6) != 6) return 2;
  for (int i = 0; i < kThreads; ++i) pthread_join(threads[i], NULL);
  return wrong == 0 ? 0 : 1;
}
