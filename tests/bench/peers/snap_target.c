// What a snapshot costs the thread that takes it, as that thread sees it.
//
// A worker books an order every two milliseconds: a few functions deep, with more
// than 16 KiB of stack above the innermost, and with structures behind pointers.
// It notes how long each booking took. Between bookings it looks at the time stamp
// counter all the time, and so sees for how long it was stopped.
//
//   stdin:  reset     stdout: ok
//   stdin:  report    stdout: GAP CALL CALL ...   since the reset, in nanoseconds:
//                     the longest gap, the bookings in their order
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <x86intrin.h>

enum { kEvery = 2000000, kMostCalls = 60000, kItems = 6 };

struct Address {
  char city[24];
  int32_t zip;
};
struct Customer {
  int64_t id;
  const char* name;
  struct Address address;
  struct Customer* referred_by;
};
struct Item {
  const char* label;
  int32_t count;
  double price;
};
struct Order {
  int64_t id;
  struct Customer* customer;
  struct Item items[kItems];
  double total;
};

static struct Customer first = {1, "Ada", {"London", 1815}, NULL};
static struct Customer second = {2, "Grace", {"New York", 1906}, &first};
static volatile double sink;
static _Atomic uint32_t longest_gap, call_count;
static uint32_t calls[kMostCalls];
static _Atomic int up;
static double ns_per_tick;

__attribute__((noinline)) static double price(struct Order* order, double rate) {
  double total = 0;
  for (int i = 0; i < kItems; i++) total += order->items[i].count * order->items[i].price;
  const double taxed = total * (1 + rate);
  order->total = taxed;
  sink = 123456789;  // the probed line
  return taxed + (double)order->customer->id;
}

__attribute__((noinline)) static double book(struct Order* order, int attempt) {
  char journal[8192];
  memset(journal, attempt, sizeof journal);
  const double result = price(order, 0.19);
  sink = journal[attempt & 4095];
  return result;
}

__attribute__((noinline)) static double handle(int64_t id) {
  char request[16384];
  memset(request, (int)id, sizeof request);
  struct Order order = {.id = id, .customer = &second};
  for (int i = 0; i < kItems; i++) order.items[i] = (struct Item){"book", i + 1, 9.5};
  const double result = book(&order, (int)(id & 7));
  sink = request[id & 4095];
  return result;
}

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static uint32_t ns_of(uint64_t ticks) {
  const double ns = (double)ticks * ns_per_tick;
  return ns < UINT32_MAX ? (uint32_t)ns : UINT32_MAX;
}

static void note_gap(uint64_t ticks) {
  const uint32_t ns = ns_of(ticks);
  uint32_t before = atomic_load(&longest_gap);
  while (ns > before && !atomic_compare_exchange_weak(&longest_gap, &before, ns)) continue;
}

static void* work(void* unused) {
  const uint64_t every = (uint64_t)(kEvery / ns_per_tick);
  atomic_store(&up, 1);
  uint64_t last = __rdtsc();
  uint64_t next = last;
  for (int64_t id = 1;;) {
    const uint64_t now = __rdtsc();
    note_gap(now - last);
    last = now;
    if (now < next) continue;
    next = now + every;
    handle(id++);
    last = __rdtsc();
    const uint32_t count = atomic_load(&call_count);
    if (count < kMostCalls) calls[count] = ns_of(last - now);
    atomic_store(&call_count, count + 1);
  }
  return unused;
}

static void measure_tick(void) {
  const int64_t begin = now_ns();
  const uint64_t tick = __rdtsc();
  nanosleep(&(struct timespec){0, 100000000}, NULL);
  ns_per_tick = (double)(now_ns() - begin) / (double)(__rdtsc() - tick);
}

static void report(void) {
  const uint32_t count = atomic_load(&call_count);
  printf("%u", atomic_load(&longest_gap));
  for (uint32_t i = 0; i < count && i < kMostCalls; i++) printf(" %u", calls[i]);
  puts("");
}

int main(void) {
  measure_tick();
  pthread_t worker;
  if (pthread_create(&worker, NULL, work, NULL) != 0) return 2;
  while (atomic_load(&up) == 0) nanosleep(&(struct timespec){0, 1000000}, NULL);
  puts("ready");
  fflush(stdout);
  char line[32];
  while (fgets(line, sizeof line, stdin) != NULL) {
    if (strcmp(line, "reset\n") == 0) {
      atomic_store(&call_count, 0);
      atomic_store(&longest_gap, 0);
      puts("ok");
    } else {
      report();
    }
    fflush(stdout);
  }
  return 0;
}
