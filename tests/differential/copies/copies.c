// Statements that a compiler copies: bodies of loops that it unrolls, code behind a branch
// that it has decided before, code that is inlined. Does a fixed amount of work for each
// line on stdin and counts, in the program itself, how often the statements ran: a line with
// `counts NAME` runs as often as ran[NAME] grows. What is said at the end is these numbers.
#include <stdint.h>
#include <stdio.h>

enum {
  kWalk,
  kSum,
  kUneven,
  kInlined,
  kSteps,
  kChecks,
  kEach,
  kWhile,
  kState,
  kArms,
  kNested,
  kCounters
};

static volatile uint64_t ran[kCounters];
static volatile uint64_t failures;
static volatile int64_t sink;

struct node {
  struct node* next;
  int weight, colour;
};
static struct node nodes[6];
static int values[64];

#define STEP(x)  \
  sink += (x);   \
  ran[kSteps]++; \
  sink ^= (x) << 1
#define CHECK(x)              \
  do {                        \
    if ((x) > 60) failures++; \
    sink += (x);              \
    ran[kChecks]++;           \
  } while (0)
#define EACH(item, first) for (struct node* item = (first); item != NULL; item = item->next)

// Left early, in each copy.
__attribute__((noinline)) static int walk(const struct node* node, int wanted) {
  int found = 0;
  for (int depth = 0; node != NULL && depth < 4; depth++) {
    int weight = node->weight * 3;  // counts kWalk
    ran[kWalk]++;                   // counts kWalk
    if (node->colour == wanted) {
      found += weight;
      sink += found;
    }
    node = node->next;  // counts kWalk
  }
  if (node == NULL) sink++;
  return found;
}

// Straight on, without a branch.
__attribute__((noinline)) static void sum(const int* from) {
  for (int i = 0; i < 4; i++) {
    sink += from[i];  // counts kSum
    ran[kSum]++;      // counts kSum
  }
}

// Four at a time, and what is left over.
__attribute__((noinline)) static void uneven(const int* from, int count) {
#ifdef __clang__
#pragma clang loop unroll_count(4)
#else
#pragma GCC unroll 4
#endif
  for (int i = 0; i < count; i++) {
    sink += from[i] ^ i;  // counts kUneven
    if (from[i] & 1) sink += 3;
    ran[kUneven]++;  // counts kUneven
  }
}

static inline int weighed(const struct node* node) {
  int weight = node->weight + 7;  // counts kInlined
  ran[kInlined]++;                // counts kInlined
  return weight;
}

__attribute__((noinline)) static void inlined(void) {
  for (int i = 0; i < 4; i++) {
    sink += i;
    sink += weighed(&nodes[i]);
  }
}

// Several statements on one line.
__attribute__((noinline)) static void steps(const int* from) {
  for (int i = 0; i < 4; i++) {
    sink ^= i;
    STEP(from[i]);  // counts kSteps
    sink ^= 3;
  }
}

__attribute__((noinline)) static void checks(const int* from, int count) {
  for (int i = 0; i < count; i++) {
    sink ^= i;
    CHECK(from[i]);  // counts kChecks
  }
}

__attribute__((noinline)) static void each(void) {
  EACH(node, nodes) {
    ran[kEach]++;          // counts kEach
    sink += node->weight;  // counts kEach
  }
}

__attribute__((noinline)) static void until(int count) {
  while (count > 0) {
    ran[kWhile]++;  // counts kWhile
    count -= 3;     // counts kWhile
  }
}

// Where it goes on is decided by where it comes from.
__attribute__((noinline)) static void machine(const int* from, int count) {
  int state = 0;
  for (int i = 0; i < count; i++) {
    ran[kState]++;  // counts kState
    switch (state) {
      case 0:
        sink += from[i];
        state = from[i] & 1 ? 1 : 2;
        break;
      case 1:
        sink ^= from[i];
        state = 2;
        break;
      default:
        sink -= from[i];
        state = 0;
    }
    sink += state;  // counts kState
  }
}

__attribute__((noinline)) static void arms(int a, int b) {
  int large = 0;
  if (a > b) {
    sink += a;
    large = 1;
  }
  ran[kArms]++;  // counts kArms
  sink ^= b;     // counts kArms
  if (large) sink -= b;
  sink += large;  // counts kArms
}

__attribute__((noinline)) static void nested(const int* from) {
  for (int i = 0; i < 3; i++) {
    for (int k = 0; k < 3; k++) {
      int product = from[i] * from[k];  // counts kNested
      ran[kNested]++;                   // counts kNested
      if (product > 100) break;
      sink += product;
    }
  }
}

__attribute__((noinline)) static void work(int round) {
  for (int i = 0; i < 5; i++) walk(&nodes[i], i & 1);
  sum(values + round);
  uneven(values, 11 + round);
  inlined();
  steps(values + 3);
  checks(values, 9);
  each();
  until(10 + round);
  machine(values, 13);
  arms(round, 2);
  nested(values + round);
}

int main(void) {
  char line[16];
  for (int i = 0; i < 64; i++) values[i] = (i * 37 + 11) % 64;
  for (int i = 0; i < 6; i++) nodes[i] = (struct node){i < 5 ? &nodes[i + 1] : NULL, i * 5, i & 1};
  puts("ready");
  fflush(stdout);
  while (fgets(line, sizeof line, stdin) != NULL) {
    uint64_t before[kCounters];
    for (int i = 0; i < kCounters; i++) before[i] = ran[i];
    for (int round = 0; round < 6; round++) work(round);
    for (int i = 0; i < kCounters; i++) printf("%llu ", (unsigned long long)(ran[i] - before[i]));
    puts("");
    fflush(stdout);
  }
  return 0;
}
