// The ways to a line of code that are hard to walk back: signal frames on the
// same and on another stack, tail calls, calls that never return at a function's
// end, callbacks from the C library, frames of variable size, deep recursion,
// threads, code that runs on a stack of its own, and jumps out of many frames.
#define _GNU_SOURCE
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

static volatile int total;
static jmp_buf home;

__attribute__((noinline)) static void leaf(int value) {
  total += value;
  total ^= value << 1;
}

static inline __attribute__((always_inline)) int inner(int value) {
  total += value * 3;
  leaf(value);
  return total & 7;
}

static inline __attribute__((always_inline)) int middle(int value) {
  const int sum = inner(value) + 1;
  total -= sum;
  return sum;
}

__attribute__((noinline)) static int by_value(const void* left, const void* right) {
  const int a = *(const int*)left;
  const int b = *(const int*)right;
  total += middle(a - b);
  return (a > b) - (a < b);
}

__attribute__((noinline)) static int sorts(int count) {
  int numbers[count + 4];
  for (int i = 0; i < count; i++) numbers[i] = (i * 7919) % 31;
  qsort(numbers, (size_t)count, sizeof numbers[0], by_value);
  int key = 7;
  total += bsearch(&key, numbers, (size_t)count, sizeof numbers[0], by_value) != NULL;
  return numbers[count / 2];
}

__attribute__((noinline)) static int tail_end(int value) {
  leaf(value);
  total += 5;
  return total;
}

__attribute__((noinline)) static int tail_middle(int value) {
  total++;
  return tail_end(value + 1);
}

__attribute__((noinline)) static int tail_begin(int value) {
  total--;
  return tail_middle(value * 2);
}

__attribute__((noinline, noreturn)) static void never_returns(int value) {
  leaf(value);
  total += value;
  longjmp(home, 1);
}

__attribute__((noinline)) static int ends_in_noreturn(int value) {
  if (value > 1000) return 0;
  total += 2;
  never_returns(value);
}

__attribute__((noinline)) static void on_signal(int number) {
  total += number;
  leaf(number);
  total += middle(number);
}

__attribute__((noinline)) static int raises(int number, int value) {
  total += value;
  raise(number);
  total += 1;
  return total;
}

// Interrupted at an instruction of its own, not in a call.
__attribute__((noinline)) static int faults(int value) {
  total += value;
  asm volatile("ud2" ::: "memory");
  total += 3;
  return total;
}

static void on_fault(int number, siginfo_t* info, void* context) {
  (void)info;
  leaf(number);
  ((ucontext_t*)context)->uc_mcontext.gregs[REG_RIP] += 2;
}

__attribute__((noinline)) static int recurse(int depth) {
  volatile char room[96];
  memset((void*)room, depth, sizeof room);
  if (depth == 0) {
    leaf(3);
    return room[5];
  }
  const int below = recurse(depth - 1);
  return below + room[depth % 96];
}

__attribute__((noinline)) static int six(int a, int b, int c, int d, int e, int f, int g, int h) {
  leaf(a + h);
  int* room = __builtin_alloca((size_t)(a & 15) * 16 + 16);
  room[0] = b + c + d + e + f + g;
  leaf(room[0]);
  return room[0] + middle(h);
}

static void* in_thread(void* argument) {
  const int value = (int)(long)argument;
  sorts(5 + value);
  tail_begin(value);
  return NULL;
}

static ucontext_t away, back;

static void on_own_stack(void) {
  leaf(11);
  swapcontext(&away, &back);
  leaf(12);
  total += 1;
}

__attribute__((noinline)) static void changes_stack(void) {
  static char stack[64 * 1024];
  getcontext(&away);
  away.uc_stack.ss_sp = stack;
  away.uc_stack.ss_size = sizeof stack;
  away.uc_link = &back;
  makecontext(&away, on_own_stack, 0);
  swapcontext(&back, &away);
  swapcontext(&back, &away);
  total += 1;
}

static void at_exit(void) { leaf(99); }

static void handle(int number, int flags, void (*handler)(int)) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_flags = flags;
  action.sa_handler = handler;
  sigaction(number, &action, NULL);
}

__attribute__((noinline)) static void one_round(int value) {
  sorts(6);
  tail_begin(value);
  if (setjmp(home) == 0) ends_in_noreturn(value);
  raises(SIGUSR1, value);
  raises(SIGUSR2, value);
  faults(value);
  recurse(4 + value);
  recurse(300);
  six(value, 2, 3, 4, 5, 6, 7, 8);
  changes_stack();
}

int main(void) {
  static char other[64 * 1024];
  const stack_t alternative = {.ss_sp = other, .ss_size = sizeof other};
  sigaltstack(&alternative, NULL);
  handle(SIGUSR1, 0, on_signal);
  handle(SIGUSR2, SA_ONSTACK, on_signal);
  struct sigaction fault;
  memset(&fault, 0, sizeof fault);
  fault.sa_flags = SA_SIGINFO;
  fault.sa_sigaction = on_fault;
  sigaction(SIGILL, &fault, NULL);
  atexit(at_exit);
  for (int i = 0; i < 3; i++) {
    pthread_t threads[3];
    for (long t = 0; t < 3; t++) pthread_create(&threads[t], NULL, in_thread, (void*)(t + i));
    one_round(i);
    for (int t = 0; t < 3; t++) pthread_join(threads[t], NULL);
  }
  printf("%d\n", total);
  return 0;
}
