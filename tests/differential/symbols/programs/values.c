// Variables of every kind that C has, in code that each level of optimisation
// leaves elsewhere. Runs to its end by itself.
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum shade { kLight = 1, kDark = -7 };

struct bits {
  unsigned int low : 3;
  int middle : 11;
  unsigned int top : 18;
};

struct pair {
  long first;
  double second;
};

struct record {
  char name[12];
  struct bits bits;
  union {
    uint64_t whole;
    uint8_t bytes[8];
  };
  struct record *next;
  int tail[];
};

static int calls;
_Thread_local int per_thread = 3;
const struct pair *shared;
int matrix[3][4];

static inline int clamp(int value, int low, int high) {
  int result = value;
  if (result < low) result = low;
  if (result > high) result = high;
  calls++;
  return result;
}

__attribute__((noinline)) struct pair combine(struct pair a, float scale, enum shade shade) {
  struct pair sum = {a.first * 3 + shade, a.second * (double)scale};
  float half = scale / 2;
  sum.second += (double)half;
  return sum;
}

__attribute__((noinline)) int many(int a, int b, int c, int d, int e, int f, int g, long h) {
  static int seen;
  seen += a;
  long total = a + b + c + d + e + f + g + h;
  {
    int total_squared = (int)(total * total);
    seen ^= total_squared;
  }
  return seen + (int)total;
}

__attribute__((noinline)) unsigned hash(const char *text, size_t length) {
  unsigned value = 2166136261u;
  for (size_t i = 0; i < length; i++) {
    unsigned char byte = (unsigned char)text[i];
    value = (value ^ byte) * 16777619u;
  }
  return value;
}

__attribute__((noinline)) long sum_variable(int n) {
  long numbers[n];
  long sum = 0;
  for (int i = 0; i < n; i++) numbers[i] = clamp(i * 7 - 5, 0, 30);
  for (int i = 0; i < n; i++) sum += numbers[i];
  return sum;
}

__attribute__((noinline)) struct record *build(const char *name, int count) {
  struct record *record = malloc(sizeof(struct record) + sizeof(int) * (size_t)count);
  memset(record, 0, sizeof *record);
  strncpy(record->name, name, sizeof record->name - 1);
  record->bits = (struct bits){.low = 5, .middle = -300, .top = 77};
  record->whole = hash(name, strlen(name));
  for (int i = 0; i < count; i++) record->tail[i] = matrix[i % 3][i % 4] + i;
  return record;
}

static int compare(const void *left, const void *right) {
  const int a = *(const int *)left, b = *(const int *)right;
  return (a > b) - (a < b);
}

int main(int argc, char **argv) {
  bool verbose = argc > 1;
  struct pair start = {.first = argc + 4, .second = 1.25};
  shared = &start;
  for (int row = 0; row < 3; row++)
    for (int column = 0; column < 4; column++) matrix[row][column] = row * 10 - column;
  struct pair next = combine(start, 2.5f, kDark);
  int sum = many(1, 2, 3, 4, 5, 6, (int)next.first, 1L << 40);
  sum += many(sum & 7, 2, 3, 4, 5, 6, 7, 8);
  struct record *record = build(argv[0], 6);
  qsort(record->tail, 6, sizeof record->tail[0], compare);
  long double wide = (long double)next.second * 2;
  __int128 huge = (__int128)sum * sum;
  long total = sum_variable(9 + argc) + record->tail[2] + (long)wide + (long)(huge >> 3);
  per_thread += (int)total;
  if (verbose) printf("%ld %u %d\n", total, record->bits.low, per_thread);
  printf("%ld %d %d\n", total, calls, clamp((int)total, -5, 5));
  free(record);
  return 0;
}
