// Threads that run a line at which nothing less than a jump over several instructions
// fits, as fast as they can, so that many of them are between two of these at any
// moment. On SIGTERM the program exits 0 when every result was right.
//
//   several THREADS [signals]     signals: a thousand a second, whose handler takes its
//                                 time and runs that line too
//
// The bytes, for a program at 0x400000 (not position independent):
//   89 3e       movl %edi,(%rsi)     too short, and a store: behind it is too late
//   91          xchgl %ecx,%eax      from here on no byte leads a jump that borrows
//   99          cltd                 it to an address above 0
//   92          xchgl %edx,%eax
//   98          cwtl
//   91          xchgl %ecx,%eax
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

enum { kMostThreads = 1000 };

static volatile sig_atomic_t ended;
static _Atomic uint64_t wrong;
static pthread_t threads[kMostThreads];

static void on_term(int number) {
  (void)number;
  ended = 1;
}

__attribute__((noinline, aligned(64))) int64_t step(int32_t value, int32_t* slot, int64_t unused,
                                                    int32_t other) {
  int32_t low, high;
  __asm__ volatile(  // the probed line
      "movl %%edi, (%%rsi)\n\t"
      "xchgl %%ecx, %%eax\n\t"
      "cltd\n\t"
      "xchgl %%edx, %%eax\n\t"
      "cwtl\n\t"
      "xchgl %%ecx, %%eax"
      : "+c"(other), "=&d"(high), "=&a"(low)
      : "D"(value), "S"(slot)
      : "memory");
  (void)unused;
  (void)low;
  return (int64_t)high + other;
}

static void one_step(int32_t value) {
  int32_t slot = 0;
  const int32_t other = 5 - 2 * value;
  const int64_t sign = other < 0 ? -1 : 0;
  if (step(value, &slot, 0, other) != other + sign || slot != value) atomic_fetch_add(&wrong, 1);
}

static void* run(void* first) {
  for (uint32_t i = (uint32_t)(uintptr_t)first; !ended; ++i) one_step((int32_t)(i & 0xffffff));
  return NULL;
}

static void on_alarm(int number) {
  for (int i = 0; i < 2000; ++i) one_step(number + i);
}

int main(int argc, char** argv) {
  const int count = argc > 1 ? atoi(argv[1]) : 4;
  if (count < 1 || count > kMostThreads) return 2;
  const struct sigaction end = {.sa_handler = on_term};
  sigaction(SIGTERM, &end, NULL);
  for (uintptr_t i = 0; i < (uintptr_t)count; ++i)
    if (pthread_create(&threads[i], NULL, run, (void*)(i << 12)) != 0) return 2;
  if (argc > 2) {
    const struct sigaction alarm_action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
    const struct itimerval often = {{0, 1000}, {0, 1000}};
    sigaction(SIGALRM, &alarm_action, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
  }
  if (write(STDOUT_FILENO, "ready\n", 6) != 6) return 2;
  for (int i = 0; i < count; ++i) pthread_join(threads[i], NULL);
  return wrong == 0 ? 0 : 1;
}
