// Processes that are hard to touch. Each does a little checked work for ever, in
// the circumstances that its first argument names.
//
//   hazards plain | mlock | mdwe | seccomp-kill | userfaultfd | exec | vfork | fork
//           filter-later | handle-later
//
// On SIGUSR1, "fork" forks a child, tells its pid, and both do the work;
// "filter-later" does what "seccomp-kill" does at once; "handle-later" installs a
// handler for memory faults.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#define PR_MDWE_REFUSE_EXEC_GAIN 1
#endif

static volatile sig_atomic_t ended;
static volatile sig_atomic_t must_act;
int64_t total;

struct item {
  int64_t number;
  const char* text;
};

__attribute__((noinline)) static int64_t work(struct item* item, int64_t number) {
  total += number;  // the probed line
  // Where only a jump over several instructions fits: targets/several.c says why.
  uint32_t low, other;
  __asm__ volatile(  // the line that needs a stop
      "movl %%esi, -8(%%rsp)\n\t"
      "xchgl %%ecx, %%eax\n\t"
      "xchgl %%edx, %%eax\n\t"
      "cwtl\n\t"
      "xchgl %%ecx, %%eax\n\t"
      "cltd"
      : "=&a"(low), "=&c"(other)
      : "S"(number)
      : "rdx", "memory");
  return item->number * number;
}

// Never called: another tool's breakpoint can be set here, on the same page.
__attribute__((noinline, used)) static int64_t never(int64_t number) { return number * total + 1; }

static void fail(const char* what) {
  printf("%s: %s\n", what, strerror(errno));
  exit(3);
}

// No room to lock one page more: what is mapped from now on must be locked too,
// so every mmap fails.
static void lock_everything(void) {
  if (mlockall(MCL_CURRENT) != 0) fail("mlockall");
  const struct rlimit limit = {1 << 16, 1 << 16};
  if (setrlimit(RLIMIT_MEMLOCK, &limit) != 0) fail("setrlimit");
  if (setresuid(65534, 65534, 65534) != 0) fail("setresuid");  // root may lock without limit
  if (prctl(PR_SET_DUMPABLE, 1) != 0) fail("prctl");
  if (mlockall(MCL_FUTURE) != 0 && errno != ENOMEM) fail("mlockall for the future");
}

static void refuse_writable_code(void) {
  if (prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0) != 0) fail("PR_SET_MDWE");
}

// Kills at calls that arming would make and this program does not.
static void kill_at_strange_calls(void) {
  struct sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 4, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mremap, 3, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_memfd_create, 2, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_process_vm_readv, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
  };
  struct sock_fprog filter = {sizeof program / sizeof program[0], program};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) {
    fail("seccomp");
  }
}

// A page that nobody ever fills in: whoever reads it sleeps for ever.
static void* page_that_sleeps(void) {
  const int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
  if (fd < 0) fail("userfaultfd");
  struct uffdio_api api = {.api = UFFD_API};
  void* const page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  struct uffdio_register range = {.range = {(uintptr_t)page, 4096},
                                  .mode = UFFDIO_REGISTER_MODE_MISSING};
  if (ioctl(fd, UFFDIO_API, &api) != 0 || ioctl(fd, UFFDIO_REGISTER, &range) != 0)
    fail("userfaultfd");
  return page;
}

static void* make_vforks(void* unused) {
  (void)unused;
  while (!ended) {
    const pid_t child = vfork();
    if (child == 0) {
      usleep(100000);  // the parent's thread is held meanwhile
      _exit(0);
    }
    int status = -1;
    if (waitpid(child, &status, 0) != child || status != 0) exit(4);
    usleep(20000);
  }
  return NULL;
}

static void on_usr1(int number) {
  (void)number;
  must_act = 1;
}

static void on_fault(int number) {
  (void)number;
  _exit(5);
}

// The child goes with its parent, and says nothing when it ends.
static void fork_a_worker(void) {
  const pid_t child = fork();
  if (child < 0) fail("fork");
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    return;
  }
  printf("%d\n", (int)child);
  fflush(stdout);
}

static void act(const char* mode) {
  must_act = 0;
  if (strcmp(mode, "filter-later") == 0)
    kill_at_strange_calls();
  else if (strcmp(mode, "handle-later") == 0)
    signal(SIGSEGV, on_fault);
  else
    fork_a_worker();
}

static void on_term(int number) {
  (void)number;
  ended = 1;
}

int main(int argc, char** argv) {
  const char* const mode = argc > 1 ? argv[1] : "plain";
  const int is_again = argc > 2;
  struct item item = {.number = 3, .text = "text"};
  signal(SIGTERM, on_term);
  signal(SIGUSR1, on_usr1);
  if (strcmp(mode, "mlock") == 0) lock_everything();
  if (strcmp(mode, "mdwe") == 0) refuse_writable_code();
  if (strcmp(mode, "seccomp-kill") == 0) kill_at_strange_calls();
  if (strcmp(mode, "userfaultfd") == 0) item.text = page_that_sleeps();
  pthread_t other;
  if (strcmp(mode, "vfork") == 0) pthread_create(&other, NULL, make_vforks, NULL);
  if (!is_again) {
    puts("ready");
    fflush(stdout);
  }
  const int does_exec = strcmp(mode, "exec") == 0;
  for (int64_t number = 1; !ended; number++) {
    if (work(&item, number) != 3 * number) return 1;
    if (must_act) act(mode);
    // Replaces itself by itself: at a moment that shifts each time.
    if (does_exec && number == 60) {
      char* again[] = {argv[0], argv[1], "again", NULL};
      execv("/proc/self/exe", again);
      fail("execv");
    }
    nanosleep(&(struct timespec){0, 1000000}, NULL);
  }
  return 0;
}
