// What the capture tests stop in: values of every kind, told about on stdout as
// the program itself sees them, so that what a probe reads can be compared.
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum color { RED, GREEN = 5, BLUE = 7 };
enum flags { F_READ = 1, F_WRITE = 2, F_EXEC = 4 };

struct inner {
  short s;
  double d;
  const char *label;
};
struct node {
  int id;
  unsigned lo : 3;
  int mid : 5;
  unsigned long wide : 40;
  enum color color;
  enum flags flags;
  char tag[8];
  const char *name;
  struct inner in;
  struct inner *inp;
  struct node *next;
  uint64_t big;
  char password[16];
  union {
    int number;
    float real;
  } u;
  int matrix[2][3];
};

int global_counter = 77;
struct node global_node;
const char *volatile sink;

__attribute__((noinline)) static long work(struct node *n, int a, unsigned char b, double x,
                                           float y, const char *text, bool yes, int sixth,
                                           int on_stack) {
  char local_text[24] = "local text";
  int numbers[6] = {3, 1, 4, 1, 5, 9};
  struct node copy = *n;
  const char *nothing = 0;
  struct node *wild = (struct node *)0x7ffff0000dead000;
  long double precise = 2.5L;
  uint64_t huge = 0xffffffffffffffffULL;
  int index = 2;
  void *untyped = n;
  printf("a=%d\nb=%d\nx=%.17g\ny=%.9g\n", a, b, x, (double)y);
  printf("big=%llu\nwide=%lu\nmid=%d\nlo=%u\n", (unsigned long long)n->big,
         (unsigned long)n->wide, n->mid, n->lo);
  printf("n=%#lx\n", (unsigned long)n);
  fflush(stdout);
  sink = local_text;
  sink = text;  // PROBE work
  long sum = numbers[index] + a + b + copy.id + (yes ? 1 : 0) + (nothing != 0) + (wild == n) +
             (long)precise + (long)huge + (untyped != 0) + (long)x + (long)y + sixth + on_stack;
  sink = nothing;
  return sum;
}

int main(void) {
  struct inner *inner = malloc(sizeof *inner);
  *inner = (struct inner){-7, 0.1, "deep \"label\""};
  struct node *second = calloc(1, sizeof *second);
  second->id = 2;
  second->name = "second";
  global_node.id = 99;
  struct node first = {.id = 41,
                       .lo = 5,
                       .mid = -9,
                       .wide = 0xabcdef0123UL,
                       .color = GREEN,
                       .flags = F_READ | F_EXEC,
                       .tag = "tagged",
                       .name = "alice",
                       .in = {12, -1.5, "inner label"},
                       .inp = inner,
                       .next = second,
                       .big = 9007199254740993ULL,
                       .password = "hunter2",
                       .u = {.number = 1065353216},
                       .matrix = {{1, 2, 3}, {4, 5, 6}}};
  return work(&first, -5, 200, 3.25, -0.5f, "hello", true, 600, 7000) == 0;
}
