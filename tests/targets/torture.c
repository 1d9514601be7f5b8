// Everything at once, while probes come and go: threads running in the patched
// function and checking each result, threads created and ended, signals at
// 1 kHz whose handler runs a patched line too, and forked children that run it.
//
//   torture [threads]
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { kMaxThreads = 256 };

static pthread_t workers[kMaxThreads];
static int worker_count;
static volatile sig_atomic_t ended;
static _Atomic uint64_t calls, wrong, threads_made, children, signals_seen;

struct step {
  uint64_t input;
  uint64_t output;
  uint32_t rounds;
  uint32_t mark;
};

// The patched function: lines whose first instruction is long and lines whose
// first instruction is short, in a loop that branches.
__attribute__((noinline)) static uint64_t mix(struct step* step) {
  uint64_t value = step->input;
  for (uint32_t i = 0; i < step->rounds; i++) {
    step->mark = 0x5eed5eed;  // a store of seven bytes
    value ^= value >> 29;     // short ones
    value *= 0xbf58476d1ce4e5b9;
    if (value & 1) value += i;
  }
  step->output = value;
  return value;
}

// The same sum, never patched.
__attribute__((noinline)) static uint64_t expected(uint64_t input, uint32_t rounds) {
  uint64_t value = input;
  for (uint32_t i = 0; i < rounds; i++) {
    value ^= value >> 29;
    value *= 0xbf58476d1ce4e5b9;
    if (value & 1) value += i;
  }
  return value;
}

static void one_call(uint64_t seed) {
  struct step step = {.input = seed * 0x9e3779b97f4a7c15, .rounds = (uint32_t)(seed % 13) + 1};
  const uint64_t value = mix(&step);
  if (value != expected(step.input, step.rounds) || step.output != value ||
      step.mark != 0x5eed5eed) {
    atomic_fetch_add(&wrong, 1);
  }
}

static void* spin(void* argument) {
  uint64_t seed = (uint64_t)(uintptr_t)argument;
  while (!ended) {
    for (int i = 0; i < 500; i++) one_call(seed++);
    atomic_fetch_add(&calls, 500);
  }
  return NULL;
}

static void* short_life(void* argument) {
  for (uint64_t i = 0; i < 200; i++) one_call(i + (uint64_t)(uintptr_t)argument);
  atomic_fetch_add(&threads_made, 1);
  return NULL;
}

static void* make_threads(void* unused) {
  (void)unused;
  while (!ended) {
    pthread_t some[4];
    int made = 0;
    for (uintptr_t i = 0; i < 4; i++)
      made += pthread_create(&some[made], NULL, short_life, (void*)i) == 0;
    for (int i = 0; i < made; i++) pthread_join(some[i], NULL);
  }
  return NULL;
}

static void* make_children(void* unused) {
  (void)unused;
  while (!ended) {
    const pid_t child = fork();
    if (child == 0) {
      atomic_store(&wrong, 0);
      for (uint64_t i = 0; i < 2000; i++) one_call(i);
      _exit(atomic_load(&wrong) == 0 ? 0 : 1);
    }
    int status = -1;
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
      atomic_fetch_add(&wrong, 1);
    atomic_fetch_add(&children, 1);
    usleep(50000);
  }
  return NULL;
}

__attribute__((noinline)) static void in_handler(struct step* step) {
  step->mark = 0x0dd0dd;  // the handler's probed line
  atomic_fetch_add(&signals_seen, 1);
}

static void on_signal(int number) {
  (void)number;
  struct step step = {.mark = 0};
  in_handler(&step);
  one_call(atomic_load(&signals_seen));
}

static void* send_signals(void* unused) {
  (void)unused;
  for (unsigned i = 0; !ended; i++) {
    pthread_kill(workers[i % (unsigned)worker_count], SIGUSR1);
    usleep(1000);
  }
  return NULL;
}

static void on_term(int number) {
  (void)number;
  ended = 1;
}

int main(int argc, char** argv) {
  worker_count = argc > 1 ? atoi(argv[1]) : 64;
  if (worker_count < 1 || worker_count > kMaxThreads) return 2;
  signal(SIGTERM, on_term);
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
  sigaction(SIGUSR1, &action, NULL);
  for (int i = 0; i < worker_count; i++) {
    if (pthread_create(&workers[i], NULL, spin, (void*)(uintptr_t)((unsigned)i * 1000003u)) != 0)
      return 2;
  }
  pthread_t others[3];
  void* (*const roles[3])(void*) = {make_threads, make_children, send_signals};
  for (int i = 0; i < 3; i++) pthread_create(&others[i], NULL, roles[i], NULL);
  puts("ready");
  fflush(stdout);
  for (int i = 0; i < 3; i++) pthread_join(others[i], NULL);
  for (int i = 0; i < worker_count; i++) pthread_join(workers[i], NULL);
  printf("calls %llu threads %llu children %llu signals %llu wrong %llu\n",
         (unsigned long long)calls, (unsigned long long)threads_made, (unsigned long long)children,
         (unsigned long long)signals_seen, (unsigned long long)wrong);
  return wrong == 0 && calls > 0 ? 0 : 1;
}
