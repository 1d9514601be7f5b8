// Threads that each have their own of everything, and say where: what they pass to the
// probed function is what its thread-local variables must be seen to be.
//
// usage: target_threadlocal [THREADS]
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#ifndef ALIGNED
#define ALIGNED 8
#endif

struct session {
  int64_t id;
  const char* name;
  char password[8];
  struct session* next;
};

__thread int64_t counter = 7;
__thread struct session session;
static __thread struct session* current;
_Alignas(ALIGNED) __thread char wide[40] = "wide";
static __thread char last;
#ifdef WITH_LIBRARY
extern __thread int elsewhere;
#endif

static volatile sig_atomic_t ended;
static volatile int64_t wrong;

// Called as it is written, with all that it is given.
#ifdef __clang__
#define AS_WRITTEN noinline
#else
#define AS_WRITTEN noipa
#endif

__attribute__((AS_WRITTEN)) int64_t work(int64_t number, const void* where, const void* where_last,
                                         int expected) {
  static __thread int64_t calls;
  calls++;
  counter = number * 3;
  last = (char)('a' + number % 26);
  const int64_t sum = counter + calls + session.id + current->id + wide[0];  // the probed line
  if (errno != expected) wrong++;
  if (where != &counter || where_last != &last) wrong++;
  __asm__ volatile("" : : "g"(number), "g"(where), "g"(where_last), "g"(expected) : "memory");
  return sum;
}

static void* run(void* argument) {
  static const char* const names[] = {"anna", "bruno", "chiara", "dario"};
  const int64_t id = (int64_t)argument;
  session = (struct session){id, names[id % 4], "hidden!", &session};
  current = &session;
  for (int64_t round = 0; !ended; ++round) {
    const int64_t number = id * 1000000 + round % 1000;
    const struct timespec pause = {0, 2000000};
    nanosleep(&pause, 0);
    errno = (int)(number % 40);
    work(number, &counter, &last, (int)(number % 40));
  }
  return 0;
}

static void on_term(int number) {
  (void)number;
  ended = 1;
}

int main(int count, char** arguments) {
  const long threads = count > 1 ? atol(arguments[1]) : 3;
  struct sigaction action = {.sa_handler = on_term};
  sigaction(SIGTERM, &action, 0);
#ifdef WITH_LIBRARY
  elsewhere = 5;
#endif
  pthread_t others[64];
  for (long i = 0; i < threads && i < 64; ++i) pthread_create(&others[i], 0, run, (void*)(i + 2));
  puts("ready");
  fflush(stdout);
  run((void*)1);
  for (long i = 0; i < threads && i < 64; ++i) pthread_join(others[i], 0);
  if (wrong != 0) printf("%ld wrong\n", (long)wrong);
  return wrong != 0;
}
