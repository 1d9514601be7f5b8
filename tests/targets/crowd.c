// Far more threads than processors, all of which compute all the time.
//
//   crowd THREADS
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { kMostThreads = 1000 };

static volatile sig_atomic_t ended;
static volatile int64_t sink;
static pthread_t threads[kMostThreads];
static int wrong[kMostThreads];

__attribute__((noinline)) static int64_t work(int64_t number) {
  sink = number;  // the probed line
  return 3 * number;
}

static void* compute(void* is_wrong) {
  for (int64_t number = 0; !ended; ++number)
    if (work(number) != 3 * number) *(int*)is_wrong = 1;
  return NULL;
}

static void on_term(int number) {
  (void)number;
  ended = 1;
}

int main(int argc, char** argv) {
  const int count = argc > 1 ? atoi(argv[1]) : 1;
  if (count < 1 || count > kMostThreads) return 2;
  signal(SIGTERM, on_term);
  for (int i = 0; i < count; ++i)
    if (pthread_create(&threads[i], NULL, compute, &wrong[i]) != 0) return 3;
  puts("ready");
  fflush(stdout);
  int any = 0;
  for (int i = 0; i < count; ++i) {
    pthread_join(threads[i], NULL);
    any |= wrong[i];
  }
  return any;
}
