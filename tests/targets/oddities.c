// Places and states that a request can be wrong about: a line without code, a
// line that cannot be patched, a variable that is optimised out where it would
// be wanted, two files of one name.
//
//   oddities [seccomp]      with an argument: under a filter that kills on ptrace's own calls
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>

int part_left(int number);
int part_right(int number);

static volatile sig_atomic_t ended;
int64_t seen;

// A comment, and no code.

__attribute__((noinline)) static int64_t count_up(int64_t amount, const char* label) {
  int64_t doubled = amount * 2;
  seen += doubled;
  __asm__ volatile("lock; incq %0" : "+m"(seen));  // never moved, so no jump fits
  seen += label[0];
  return seen;
}

static void on_term(int number) {
  (void)number;
  ended = 1;
}

// Any filter will do: nohalt cannot show that it lets its calls pass.
static void filter_calls(void) {
  struct sock_filter program[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  struct sock_fprog filter = {1, program};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) {
    exit(3);
  }
}

int main(int argc, char** argv) {
  (void)argv;
  signal(SIGTERM, on_term);
  if (argc > 1) filter_calls();
  puts("ready");
  fflush(stdout);
  int64_t amount = 0;
  while (!ended) {
    amount = count_up(amount % 1000 + 1, "label") % 1000;
    amount += part_left((int)amount) + part_right((int)amount);
    nanosleep(&(struct timespec){0, 1000000}, NULL);
  }
  return 0;
}
