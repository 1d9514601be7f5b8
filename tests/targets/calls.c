// Functions whose results follow from their arguments, called over and over by several
// threads, so that any call that is seen can be checked by itself. On SIGTERM the program
// exits 0 when every result was right.
//
//   calls THREADS [microseconds between rounds]
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { kMostThreads = 64 };

struct pair {
  int64_t first;
  double second;
};
struct little {
  int32_t x;
  int16_t y;
};
struct big {
  int64_t v[5];
};

static volatile sig_atomic_t ended;
static _Atomic uint64_t wrong;
static _Thread_local jmp_buf way_out;
static useconds_t pause_us = 1000;

#define APART __attribute__((noinline, aligned(16)))

APART int32_t add(int32_t a, int32_t b) { return a + b; }
APART int64_t triple(int64_t a) { return a * 3; }
APART bool is_even(uint32_t n) { return n % 2 == 0; }
APART double half(double x) { return x / 2; }
APART float quarter(float x) { return x / 4; }
APART const char* name_of(int32_t i) { return i % 2 == 0 ? "even" : "odd"; }
APART const char* after(const char* text) { return text + 1; }
APART struct pair make_pair(int64_t a, double b) { return (struct pair){a + 1, b + 1}; }
APART struct little make_little(int32_t a) { return (struct little){a, (int16_t)(a % 100)}; }
APART struct big make_big(int64_t a) { return (struct big){{a, a + 1, a + 2, a + 3, a + 4}}; }
APART void nothing(int32_t a) { atomic_fetch_add(&wrong, a < 0 ? 1 : 0); }
APART int32_t choose(int32_t n) {
  if (n % 3 == 0) return 10;
  if (n % 3 == 1) return add(n, 20);
  printf("%s", n < 0 ? "never" : "");
  return 30 - n;
}
APART int32_t secret_code(int32_t n) { return n ^ 21; }
APART int32_t open_door(int32_t door, int32_t password) { return door * 2 + (password - password); }
APART const char* card_of(int32_t n) { return n < 0 ? "" : "4111111111111111"; }
APART int32_t leap(int32_t n) {
  if (n % 2 == 1) longjmp(way_out, 1);
  return n * 7;
}

int32_t depth_of(int32_t n);
// Through pointers that the compiler does not look behind.
static int32_t (*volatile call_depth)(int32_t) = depth_of;
APART int32_t depth_of(int32_t n) { return n == 0 ? 0 : call_depth(n - 1) + 1; }

static int32_t (*volatile call_add)(int32_t, int32_t) = add;
static int64_t (*volatile call_triple)(int64_t) = triple;
static bool (*volatile call_is_even)(uint32_t) = is_even;
static double (*volatile call_half)(double) = half;
static float (*volatile call_quarter)(float) = quarter;
static const char* (*volatile call_name_of)(int32_t) = name_of;
static const char* (*volatile call_after)(const char*) = after;
static struct pair (*volatile call_make_pair)(int64_t, double) = make_pair;
static struct little (*volatile call_make_little)(int32_t) = make_little;
static struct big (*volatile call_make_big)(int64_t) = make_big;
static void (*volatile call_nothing)(int32_t) = nothing;
static int32_t (*volatile call_choose)(int32_t) = choose;
static int32_t (*volatile call_secret)(int32_t) = secret_code;
static int32_t (*volatile call_open)(int32_t, int32_t) = open_door;
static const char* (*volatile call_card)(int32_t) = card_of;
static int32_t (*volatile call_leap)(int32_t) = leap;

static void expect(bool right) {
  if (!right) atomic_fetch_add(&wrong, 1);
}

static __attribute__((noinline)) void leap_or_not(int32_t n) {
  if (setjmp(way_out) == 0) expect(call_leap(n) == n * 7 && n % 2 == 0);
}

static void one_round(int32_t n) {
  expect(call_add(n, 2) == n + 2);
  expect(call_triple(n) == (int64_t)n * 3);
  expect(call_is_even((uint32_t)n) == (n % 2 == 0));
  expect(call_half(n) * 2 == n);
  expect(call_quarter((float)(n % 1000)) * 4 == (float)(n % 1000));
  expect(strlen(call_name_of(n)) == (n % 2 == 0 ? 4U : 3U));
  expect(*call_after("xy") == 'y');
  expect(call_make_pair(n, n).first == n + 1);
  expect(call_make_little(n).x == n);
  expect(call_make_big(n).v[4] == n + 4);
  call_nothing(n);
  call_choose(n);
  expect(call_secret(n) == (n ^ 21));
  expect(call_open(n, 1234) == n * 2);
  expect(*call_card(n) == '4');
  expect(call_depth(n % 4) == n % 4);
  leap_or_not(n % 1000);
}

static void* run(void* first) {
  for (int32_t n = (int32_t)(intptr_t)first; !ended; n = (n + 1) % 1000000) {
    one_round(n);
    if (pause_us != 0) usleep(pause_us);
  }
  return NULL;
}

static void on_term(int number) {
  (void)number;
  ended = 1;
}

int main(int count, char** words) {
  const int threads = count > 1 ? atoi(words[1]) : 1;
  if (threads < 1 || threads > kMostThreads) return 2;
  if (count > 2) pause_us = (useconds_t)atoi(words[2]);
  signal(SIGTERM, on_term);
  pthread_t all[kMostThreads];
  for (int i = 0; i < threads; ++i)
    if (pthread_create(&all[i], NULL, run, (void*)(intptr_t)(i * 1000)) != 0) return 2;
  if (write(STDOUT_FILENO, "ready\n", 6) != 6) return 2;
  for (int i = 0; i < threads; ++i) pthread_join(all[i], NULL);
  return atomic_load(&wrong) == 0 ? 0 : 1;
}
