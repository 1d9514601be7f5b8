// How long arming holds a thread, as the threads themselves see it.
//
// One thread spins on the time stamp counter and keeps the longest gap between
// two looks; the others run the probed function and sleep, as a service's
// threads do, and keep how much too late they woke.
//
// A busy machine makes gaps of its own, far longer than a hold. They are told
// apart by the kernel's account of each thread: one that waits for a processor
// is runnable (schedstat's second number), one that is held is not. So a gap
// counts less the time for which its thread waited. What no thread can tell
// from a hold (interrupts, a hypervisor's pauses) is in the control runs too.
//
//   hold_target THREADS
//   stdin:  reset     stdout: ok
//   stdin:  longest   stdout: GAP LATE     since the reset, in nanoseconds
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

enum { kSleep = 100000000, kGapThatCounts = 5000 };

static _Atomic int64_t longest_gap, latest;
static _Atomic int up;
static int threads;
static volatile int64_t sink;
static double ns_per_tick;

__attribute__((noinline)) static int64_t serve(int64_t number, const char* name) {
  const int64_t square = number * number;
  sink = 123456789;  // the probed line
  return square + name[0];
}

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int own_account(void) {
  const int account = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
  if (account < 0) exit(2);
  return account;
}

// For how long the calling thread has waited for a processor.
static int64_t waited_ns(int account) {
  char text[96] = "";
  if (pread(account, text, sizeof text - 1, 0) <= 0) exit(2);
  const char* second = strchr(text, ' ');
  return second == NULL ? 0 : strtoll(second, NULL, 10);
}

static void keep_longest(_Atomic int64_t* longest, int64_t ns) {
  int64_t before = atomic_load_explicit(longest, memory_order_relaxed);
  while (ns > before && !atomic_compare_exchange_weak(longest, &before, ns)) continue;
}

static void* spin(void* unused) {
  (void)unused;
  const int account = own_account();
  const uint64_t counts = (uint64_t)(kGapThatCounts / ns_per_tick);
  int64_t waited = waited_ns(account);
  atomic_fetch_add(&up, 1);
  uint64_t last = __rdtsc();
  for (int64_t i = 0;; i++) {
    if ((i & 1023) == 0) serve(i, "spin");
    const uint64_t now = __rdtsc();
    const uint64_t gap = now - last;
    last = now;
    if (gap < counts) continue;
    const int64_t before = waited;
    waited = waited_ns(account);
    keep_longest(&longest_gap, (int64_t)((double)gap * ns_per_tick) - (waited - before));
    last = __rdtsc();
  }
  return NULL;
}

static void* sleepy(void* name) {
  const int account = own_account();
  prctl(PR_SET_TIMERSLACK, 1);
  // Out of step, or a thousand would wake at once.
  const int nth = atomic_fetch_add(&up, 1);
  nanosleep(&(struct timespec){0, (long)kSleep * nth / threads}, NULL);
  for (int64_t i = 0;; i++) {
    serve(i, name);
    const int64_t waited = waited_ns(account);
    const int64_t begin = now_ns();
    nanosleep(&(struct timespec){0, kSleep}, NULL);
    const int64_t late = now_ns() - begin - kSleep;
    keep_longest(&latest, late - (waited_ns(account) - waited));
  }
  return NULL;
}

static void measure_tick(void) {
  const int64_t begin = now_ns();
  const uint64_t tick = __rdtsc();
  nanosleep(&(struct timespec){0, 100000000}, NULL);
  ns_per_tick = (double)(now_ns() - begin) / (double)(__rdtsc() - tick);
}

// Each thread keeps a file open.
static void allow_many_files(void) {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char** argv) {
  threads = argc > 1 ? atoi(argv[1]) : 1;
  measure_tick();
  allow_many_files();
  pthread_attr_t small;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, 65536);
  pthread_t thread;
  // The main thread waits on stdin, so it is not counted: THREADS work.
  if (pthread_create(&thread, &small, spin, NULL) != 0) return 2;
  for (int i = 1; i < threads; i++) {
    if (pthread_create(&thread, &small, sleepy, "sleepy") != 0) return 2;
  }
  while (atomic_load(&up) < threads) nanosleep(&(struct timespec){0, 1000000}, NULL);
  puts("ready");
  fflush(stdout);
  char line[32];
  while (fgets(line, sizeof line, stdin) != NULL) {
    if (strcmp(line, "reset\n") == 0) {
      atomic_store(&longest_gap, 0);
      atomic_store(&latest, 0);
      puts("ok");
    } else {
      printf("%ld %ld\n", (long)atomic_load(&longest_gap), (long)atomic_load(&latest));
    }
    fflush(stdout);
  }
  return 0;
}
