// How long arming holds a thread, as the threads themselves see it: one thread
// spins on the time stamp counter and keeps the longest gap between two looks;
// the others run the probed function and sleep, as a service's threads do.
//
//   hold_target THREADS
//   stdin:  reset            stdout: ok
//   stdin:  longest          stdout: the spinning thread's longest gap since, nanoseconds
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <x86intrin.h>

static _Atomic uint64_t longest;
static _Atomic int spinning;
static volatile int64_t sink;
static double ns_per_tick;

__attribute__((noinline)) static int64_t serve(int64_t number, const char* name) {
  const int64_t square = number * number;
  sink = 123456789;  // the probed line
  return square + name[0];
}

static void* spin(void* unused) {
  (void)unused;
  uint64_t last = __rdtsc();
  for (int64_t i = 0;; i++) {
    if ((i & 1023) == 0) serve(i, "spin");
    const uint64_t now = __rdtsc();
    if (now - last > atomic_load_explicit(&longest, memory_order_relaxed)) {
      atomic_store_explicit(&longest, now - last, memory_order_relaxed);
    }
    last = now;
    atomic_store_explicit(&spinning, 1, memory_order_relaxed);
  }
  return NULL;
}

static void* sleepy(void* argument) {
  for (int64_t i = 0;; i++) {
    serve(i, argument);
    nanosleep(&(struct timespec){0, 100000000}, NULL);
  }
  return NULL;
}

static double now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

int main(int argc, char** argv) {
  const int threads = argc > 1 ? atoi(argv[1]) : 1;
  const double begin = now_ns();
  const uint64_t tick = __rdtsc();
  nanosleep(&(struct timespec){0, 100000000}, NULL);
  ns_per_tick = (now_ns() - begin) / (double)(__rdtsc() - tick);
  pthread_attr_t small;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, 65536);
  pthread_t thread;
  // The main thread waits on stdin, so it is not counted: THREADS work.
  if (pthread_create(&thread, &small, spin, NULL) != 0) return 2;
  for (int i = 1; i < threads; i++) {
    if (pthread_create(&thread, &small, sleepy, "sleepy") != 0) return 2;
  }
  while (!atomic_load(&spinning)) nanosleep(&(struct timespec){0, 1000000}, NULL);
  puts("ready");
  fflush(stdout);
  char line[32];
  while (fgets(line, sizeof line, stdin) != NULL) {
    if (strcmp(line, "reset\n") == 0) {
      atomic_store(&longest, 0);
      puts("ok");
    } else {
      printf("%.0f\n", (double)atomic_load(&longest) * ns_per_tick);
    }
    fflush(stdout);
  }
  return 0;
}
