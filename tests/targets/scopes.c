// Scopes inside scopes, for snapshots: a name that hides another, a function that
// is inlined into another, a secret, a list that leads to itself. Every value
// follows from the round's number.
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum mood { kCalm = 2, kBusy = 9 };

struct point {
  int32_t x;
  int32_t y;
};

struct visitor {
  int64_t id;
  const char* name;
  char password[16];
  enum mood mood;
  struct point place;
  struct visitor* friend;
};

static volatile sig_atomic_t ended;
int64_t volatile seen;
int64_t volatile kept;

static inline __attribute__((always_inline)) int64_t inner(struct visitor* visitor, int64_t n) {
  int64_t amount = n * 2;
  kept = amount;
  int64_t sum = amount;
  {
    int64_t amount = n * 3;
    seen = amount;  // two names, two functions
    sum += amount + visitor->id;
  }
  return sum + amount;
}

__attribute__((noinline)) static int64_t outer(struct visitor* visitor, int64_t seed) {
  const int64_t margin = seed + 5;
  char label[16];
  snprintf(label, sizeof label, "round %d", (int)(seed % 1000));
  const int64_t sum = inner(visitor, seed + 1);
  return sum + margin + (int64_t)strlen(label);
}

static int64_t expected(int64_t id, int64_t seed) {
  char label[16];
  snprintf(label, sizeof label, "round %d", (int)(seed % 1000));
  return (seed + 1) * 2 * 2 + (seed + 1) * 3 + id + seed + 5 + (int64_t)strlen(label);
}

static void on_term(int number) {
  (void)number;
  ended = 1;
}

int main(void) {
  int64_t wrong = 0;
  int64_t seed = 0;
  struct visitor visitor = {.name = "anna", .password = "hunter2", .mood = kBusy};
  visitor.friend = &visitor;
  signal(SIGTERM, on_term);
  puts("ready");
  fflush(stdout);
  while (!ended) {
    visitor.id = ++seed * 10;
    visitor.place = (struct point){(int32_t)seed, -(int32_t)seed};
    if (outer(&visitor, seed) != expected(visitor.id, seed)) ++wrong;
    nanosleep(&(struct timespec){0, 2000000}, NULL);
  }
  printf("rounds %lld wrong %lld\n", (long long)seed, (long long)wrong);
  return wrong == 0 ? 0 : 1;
}
