// Lines of known machine code, each one statement, for tests of where a probe
// may sit and of what a process must not have forbidden itself.
//
//   places           says "ready", then runs the lines now and then
//   places no-tsc    ... after forbidding itself to read the time stamp counter
//   places handler   ... with a handler of SIGSEGV that goes on
//   places one-shot  ... with one that is gone once it ran
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static volatile int sink;

// Two bytes, then five: a jump fits only over the second instruction.
__attribute__((noinline)) void moved(int value) {
  __asm__ volatile("xchg %%ax, %%ax\n\tmovl $7, %%ecx" ::"r"(value) : "ecx");
}

// The same, but `value` changes with the first instruction.
__attribute__((noinline)) void changed(int value) {
  __asm__ volatile("incl %0\n\tmovl $7, %%ecx" : "+r"(value)::"ecx");
  sink = value;
}

// One critical section of one instruction, as the rseq libraries describe them.
__attribute__((noinline)) void restartable(int value) {
  __asm__ volatile(
      ".pushsection __rseq_cs, \"aw\"\n\t"
      ".balign 32\n\t"
      ".long 0, 0\n\t"
      ".quad 1f, 2f - 1f, 3f\n\t"
      ".popsection\n\t"
      ".pushsection __rseq_failure, \"ax\"\n\t"
      ".byte 0x0f, 0xb9, 0x3d\n\t"
      ".long 0x53053053\n\t"
      "3: jmp 2f\n\t"
      ".popsection\n\t"
      "1: movl $7, %%ecx\n\t"
      "2:" ::"r"(value)
      : "ecx");
}

static void on_fault(int signal_number) { exit(signal_number); }

static void handle_faults(int flags) {
  struct sigaction action = {.sa_handler = on_fault, .sa_flags = flags};
  sigaction(SIGSEGV, &action, NULL);
}

int main(int count, char** arguments) {
  const char* mode = count > 1 ? arguments[1] : "";
  if (strcmp(mode, "no-tsc") == 0) prctl(PR_SET_TSC, PR_TSC_SIGSEGV);
  if (strcmp(mode, "handler") == 0) handle_faults(0);
  if (strcmp(mode, "one-shot") == 0) handle_faults((int)SA_RESETHAND);
  if (write(STDOUT_FILENO, "ready\n", 6) != 6) return 1;
  for (int i = 0;; ++i) {
    moved(i);
    changed(i);
    restartable(i);
    usleep(10000);
  }
}
