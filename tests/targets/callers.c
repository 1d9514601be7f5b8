// Callers with something to say, for snapshots: what a function was called with and
// does not need any more, a pointer to a function, and a secret that goes by two
// names. Every value follows from the round's number.
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

struct handler {
  int64_t (*run)(int64_t);
  const char* name;
};

static volatile sig_atomic_t ended;
int64_t volatile seen;

__attribute__((noinline)) int64_t twice(int64_t order) { return order * 2; }

__attribute__((noinline)) static int64_t leaf(int64_t order, const struct handler* handler) {
  const int64_t result = handler->run(order);
  seen = result;  // the order is not needed any more
  return result + 1;
}

__attribute__((noinline)) static int64_t serve(int64_t order, const struct handler* handler) {
  char password[16];
  snprintf(password, sizeof password, "hunter%d", 2);
  const char* const text = password;
  const int64_t result = leaf(order + 3, handler);
  return result + order + (int64_t)strlen(text);
}

static void on_term(int number) {
  (void)number;
  ended = 1;
}

int main(void) {
  int64_t wrong = 0;
  int64_t round = 0;
  const struct handler handler = {twice, "twice"};
  signal(SIGTERM, on_term);
  puts("ready");
  fflush(stdout);
  while (!ended) {
    ++round;
    if (serve(round, &handler) != (round + 3) * 2 + 1 + round + 7) ++wrong;
    nanosleep(&(struct timespec){0, 2000000}, NULL);
  }
  printf("rounds %lld wrong %lld\n", (long long)round, (long long)wrong);
  return wrong == 0 ? 0 : 1;
}
