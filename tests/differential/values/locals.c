// Locals of every kind that C has, in functions where each line leaves them
// elsewhere: in registers, on the stack, in parts, or nowhere. Runs the same way
// every time: for each line on stdin it does a fixed amount of work.
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum colour { kRed = 1, kGreen = 5, kBlue = 9 };

struct point {
  int32_t x, y;
};

struct shape {
  const char* name;
  struct point corners[3];
  struct shape* next;
  enum colour colour;
  unsigned filled : 1, layer : 6;
  int tilt : 5;
  double area;
  float weight;
  bool visible;
  char code[6];
};

union number {
  int64_t whole;
  double real;
};

static struct shape shapes[4];
static uint64_t total;
int32_t global_count = -3;

__attribute__((noinline)) static int64_t sums(int8_t tiny, uint16_t small, int32_t plain,
                                              uint64_t big) {
  int64_t sum = tiny;
  sum += small;
  uint32_t half = (uint32_t)(big >> 32);
  sum ^= plain;
  int64_t product = sum * half;
  total += (uint64_t)product;
  if (product < 0) sum = -sum;
  total ^= big;
  return sum + product;
}

__attribute__((noinline)) static double reals(double a, float b, long double c, int rounds) {
  double mean = (a + (double)b) / 2;
  float share = b * 0.25f;
  for (int i = 0; i < rounds; i++) {
    mean = mean * 0.5 + (double)share;
    share += 1.5f;
    total += (uint64_t)i;
  }
  bool large = mean > 10;
  double result = large ? mean : mean + (double)c;
  total += (uint64_t)result;
  return result;
}

__attribute__((noinline)) static int texts(const char* word, char* buffer, size_t room) {
  size_t length = strlen(word);
  char first = word[0];
  char copy[16] = "";
  strncpy(copy, word, sizeof copy - 1);
  snprintf(buffer, room, "%s:%zu", copy, length);
  total += (unsigned char)first;
  const char* colon = strchr(buffer, ':');
  int offset = (int)(colon - buffer);
  total += (uint64_t)offset;
  return offset;
}

__attribute__((noinline)) static int64_t walk(const struct shape* shape, enum colour wanted) {
  int64_t found = 0;
  for (int depth = 0; shape != NULL && depth < 4; depth++) {
    const struct point* corner = &shape->corners[depth % 3];
    if (shape->colour == wanted) {
      found += corner->x;
      total += (uint64_t)found;
    }
    struct point middle = {corner->x / 2, corner->y / 2};
    found += middle.y;
    union number mixed = {.whole = found};
    total += (uint64_t)mixed.whole;
    shape = shape->next;
  }
  return found;
}

__attribute__((noinline)) static void arrays(int base, int count) {
  int squares[5];
  int64_t sum = 0;
  for (int i = 0; i < count && i < 5; i++) {
    squares[i] = (base + i) * (base + i);
    sum += squares[i];
  }
  int* last = &squares[count - 1];
  total += (uint64_t)sum;
  *last += 1;
  total += (uint64_t)*last;
}

// Called before the work begins.
static void prepare(void) {
  static const char* const names[] = {"triangle", "wedge", "sliver", "corner"};
  for (int i = 0; i < 4; i++) {
    struct shape* shape = &shapes[i];
    shape->name = names[i];
    for (int k = 0; k < 3; k++) shape->corners[k] = (struct point){i * 10 + k, -k * 7 - i};
    shape->next = i < 3 ? &shapes[i + 1] : NULL;
    shape->colour = i % 2 ? kGreen : kBlue;
    shape->filled = i & 1;
    shape->layer = (unsigned)i * 9 & 63;
    shape->tilt = -i;
    shape->area = i * 1.25;
    shape->weight = (float)i / 3;
    shape->visible = i != 2;
    snprintf(shape->code, sizeof shape->code, "c%d", i);
  }
}

// Called at the end of each piece of work. Clears the stack below its caller, where
// return addresses of calls that are over lie about.
__attribute__((noinline)) void finished(void) {
  char below[8192];
  memset(below, 0, sizeof below);
  __asm__ volatile("" : : "r"(below) : "memory");
}

int main(void) {
  char line[16], buffer[64];
  prepare();
  puts("ready");
  fflush(stdout);
  int64_t sum = 0;
  while (fgets(line, sizeof line, stdin) != NULL) {
    for (int i = 0; i < 6; i++) {
      sum += sums((int8_t)(i - 3), (uint16_t)(60000 + i), -i * 1000,
                  0x123456789abcdefu * (uint64_t)(i + 1));
      sum += (int64_t)reals(i * 1.5, (float)i, 2.25L, i);
      sum += texts(shapes[i % 4].name, buffer, sizeof buffer);
      sum += walk(&shapes[i % 4], i % 2 ? kGreen : kBlue);
      arrays(i, i % 5 + 1);
      global_count += i;
    }
    finished();
  }
  printf("done %lld %llu\n", (long long)sum, (unsigned long long)total);
  return 0;
}
