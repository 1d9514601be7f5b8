// As copies.c, with what C++ adds: loops over ranges, lambdas, templates, code that is run
// on the way out of a scope, and exceptions.
#include <array>
#include <cstdint>
#include <cstdio>
#include <stdexcept>
#include <vector>

enum {
  kRange,
  kLambda,
  kShort,
  kLong,
  kScope,
  kCaught,
  kRaised,
  kContinue,
  kDeep,
  kSelf,
  kTail,
  kCounters
};

static volatile uint64_t ran[kCounters];
static volatile int64_t sink;

struct Item {
  int weight, colour;
};

__attribute__((noinline)) static void ranges(const std::array<Item, 4>& items) {
  for (const Item& item : items) {
    ran[kRange] = ran[kRange] + 1;  // counts kRange
    sink = sink + item.weight;      // counts kRange
  }
}

__attribute__((noinline)) static void lambdas(const std::array<Item, 4>& items) {
  const auto add = [](const Item& item) {
    sink = sink + item.weight * 2;    // counts kLambda
    ran[kLambda] = ran[kLambda] + 1;  // counts kLambda
  };
  for (int i = 0; i < 4; i++) {
    sink = sink ^ i;
    add(items[i]);
  }
}

template <int Times>
__attribute__((noinline)) void repeat(const int* from, int counter) {
  for (int i = 0; i < Times; i++) {
    sink = sink + from[i];            // counts kShort kLong
    ran[counter] = ran[counter] + 1;  // counts kShort kLong
    if (from[i] % 5 == 0) sink = sink - 1;
  }
}

__attribute__((noinline)) static void repeated(const int* from) {
  repeat<2>(from, kShort);
  repeat<7>(from, kLong);
}

struct Scope {
  const int value;
  ~Scope() {
    sink = sink + value;            // counts kScope
    ran[kScope] = ran[kScope] + 1;  // counts kScope
  }
};

__attribute__((noinline)) static void raise(int value) {
  if (value % 3 == 0) {
    ran[kRaised] = ran[kRaised] + 1;  // counts kRaised
    throw std::runtime_error("three");
  }
}

__attribute__((noinline)) static void scopes(const int* from) {
  for (int i = 0; i < 4; i++) {
    try {
      const Scope scope{from[i]};
      raise(from[i]);
      sink = sink + 5;
    } catch (const std::runtime_error&) {
      ran[kCaught] = ran[kCaught] + 1;  // counts kCaught
    }
  }
}

__attribute__((noinline)) static void skipping(const std::vector<Item>& items) {
  for (const Item& item : items) {
    if (item.colour == 2) continue;
    ran[kContinue] = ran[kContinue] + 1;  // counts kContinue
    sink = sink + item.weight;            // counts kContinue
    if (item.weight > 12) continue;
    sink = sink * 3;
  }
}

static inline int inner(int value) {
  int result = value ^ (int)sink;  // counts kDeep
  ran[kDeep] = ran[kDeep] + 1;     // counts kDeep
  return result;
}
static inline int outer(int value) {
  int first = inner(value);
  return first + inner(value + 1);
}

__attribute__((noinline)) static void deep(const int* from) {
  for (int i = 0; i < 3; i++) {
    int both = outer(from[i]);
    sink = sink + both;
  }
}

static int down(int depth) {
  ran[kSelf] = ran[kSelf] + 1;  // counts kSelf
  sink = sink + depth;          // counts kSelf
  if (depth <= 0) return 0;
  return 1 + down(depth - 1);
}

__attribute__((noinline)) static int tails(int value, int kind) {
  int result = 0;
  switch (kind) {
    case 0:
      result = value + 1;
      break;
    case 1:
      result = value * 5;
      break;
    case 2:
      sink = sink ^ value;
      break;
    default:
      result = -value;
  }
  ran[kTail] = ran[kTail] + 1;  // counts kTail
  sink = sink + result;         // counts kTail
  return result;
}

__attribute__((noinline)) static void work(int round) {
  const std::array<Item, 4> items{{{1, 2}, {round, 3}, {7, 2}, {15, round}}};
  const std::vector<Item> many{{1, 2}, {round, 3}, {7, 2}, {15, round}, {9, 9}};
  const int numbers[8] = {round, 3, 5, 6, 10, 11, 15, round * 2};
  ranges(items);
  lambdas(items);
  repeated(numbers);
  scopes(numbers);
  skipping(many);
  deep(numbers);
  sink = sink + down(3 + round);
  for (int i = 0; i < 6; i++) tails(round, i);
}

int main() {
  char line[16];
  puts("ready");
  fflush(stdout);
  while (fgets(line, sizeof line, stdin) != nullptr) {
    std::array<uint64_t, kCounters> before;
    for (int i = 0; i < kCounters; i++) before[i] = ran[i];
    for (int round = 0; round < 6; round++) work(round);
    for (int i = 0; i < kCounters; i++)
      printf("%llu ", static_cast<unsigned long long>(ran[i] - before[i]));
    puts("");
    fflush(stdout);
  }
}
