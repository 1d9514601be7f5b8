// Threads that wait in every kind of blocking call, and abort when one is
// interrupted, comes back early or transfers less than it should: what a
// disturbed service would do wrong in silence.
//
//   patience [idle | steady]
//
// idle: no thread that runs; the patched lines come by each 200 ms. steady: no thread
// whose call moves data bit by bit.
#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { kWaitMs = 100, kTransfer = 1 << 19, kPiece = 1 << 12 };

static volatile sig_atomic_t ended;
static _Atomic uint64_t waits;
static _Atomic int waiters;  // threads that have waited once
static int semaphore;
static int event_fd;
int64_t laps;

static void disturbed(const char* call, long got) {
  char text[128];
  const int length =
      snprintf(text, sizeof text, "disturbed: %s gave %ld (%s)\n", call, got, strerror(errno));
  if (write(STDOUT_FILENO, text, (size_t)length) < 0) _exit(9);
  abort();
}

static double now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void check(const char* call, int is_right, long got) {
  static _Thread_local int has_waited;
  if (!is_right) disturbed(call, got);
  atomic_fetch_add(&waits, 1);
  if (!has_waited) atomic_fetch_add(&waiters, 1);
  has_waited = 1;
}

// A wait that must run out, as `expected` and not before `least_ms`.
static void check_lasted(const char* call, double begin, int least_ms, long got, long expected,
                         int expected_errno) {
  const int error = errno;
  const int is_right = got == expected && (expected_errno == 0 || error == expected_errno);
  const double lasted = now_ms() - begin;
  errno = error;
  check(call, is_right && lasted >= least_ms, got);
}

static void check_wait(const char* call, double begin, long got, long expected,
                       int expected_errno) {
  check_lasted(call, begin, kWaitMs - 1, got, expected, expected_errno);
}

static void* wait_epoll(void* unused) {
  (void)unused;
  const int epoll = epoll_create1(0), quiet = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN};
  epoll_ctl(epoll, EPOLL_CTL_ADD, event_fd, &event);
  while (!ended) {
    uint64_t count = 0;
    const int got = epoll_wait(epoll, &event, 1, -1);
    check("epoll_wait", got == 1 && read(event_fd, &count, sizeof count) == sizeof count, got);
    const double begin = now_ms();
    errno = 0;
    const int none = epoll_wait(quiet, &event, 1, kWaitMs);
    check_wait("epoll_wait with a timeout", begin, none, 0, 0);
  }
  return NULL;
}

static void* wait_semop(void* unused) {
  (void)unused;
  struct sembuf take = {.sem_num = 0, .sem_op = -1};
  while (!ended) {
    const int got = semop(semaphore, &take, 1);
    check("semop", got == 0 || ended, got);
  }
  return NULL;
}

static void* wait_signal(void* unused) {
  (void)unused;
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  const struct timespec limit = {0, kWaitMs * 1000000};
  while (!ended) {
    const double begin = now_ms();
    const int got = sigtimedwait(&set, NULL, &limit);
    check_wait("sigtimedwait", begin, got, -1, EAGAIN);
  }
  return NULL;
}

static void* wait_receive(void* unused) {
  (void)unused;
  int pair[2];
  char byte;
  const struct timeval limit = {0, kWaitMs * 1000};
  socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
  setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  while (!ended) {
    const double begin = now_ms();
    const ssize_t got = recv(pair[0], &byte, 1, 0);
    // Counted in the kernel's ticks, which lag on a machine that a hypervisor held up, and
    // then are made up for at once: alone of all these calls it can end some ticks early.
    check_lasted("recv with a timeout", begin, kWaitMs / 2, got, -1, EAGAIN);
  }
  return NULL;
}

static void* wait_sleep(void* unused) {
  (void)unused;
  const struct timespec time = {0, kWaitMs * 1000000};
  while (!ended) {
    const double begin = now_ms();
    struct timespec left = {0, 0};
    const int got = nanosleep(&time, &left);
    check_wait("nanosleep", begin, got, 0, 0);
  }
  return NULL;
}

static void* wait_futex(void* unused) {
  (void)unused;
  static uint32_t word = 7;
  const struct timespec limit = {0, kWaitMs * 1000000};
  while (!ended) {
    const double begin = now_ms();
    const long got = syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 7, &limit, NULL, 0);
    check_wait("futex", begin, got, -1, ETIMEDOUT);
  }
  return NULL;
}

static void* wait_poll(void* unused) {
  (void)unused;
  while (!ended) {
    const double begin = now_ms();
    const int got = poll(NULL, 0, kWaitMs);
    check_wait("poll", begin, got, 0, 0);
  }
  return NULL;
}

static int socket_pair[2], pipe_pair[2];

// The slow other ends: pieces with pauses between.
static void* feed_socket(void* unused) {
  (void)unused;
  static char piece[kPiece];
  while (!ended) {
    if (send(socket_pair[1], piece, sizeof piece, MSG_NOSIGNAL) < 0 && !ended)
      disturbed("send", -1);
    usleep(500);
  }
  shutdown(socket_pair[1], SHUT_RDWR);
  return NULL;
}

static void* drain_pipe(void* unused) {
  (void)unused;
  static char piece[kPiece];
  while (!ended && read(pipe_pair[0], piece, sizeof piece) > 0) usleep(500);
  close(pipe_pair[0]);
  return NULL;
}

static void* wait_all(void* unused) {
  (void)unused;
  static char buffer[kTransfer];
  while (!ended) {
    const ssize_t got = recv(socket_pair[0], buffer, sizeof buffer, MSG_WAITALL);
    check("recv with MSG_WAITALL", got == sizeof buffer || ended, got);
  }
  return NULL;
}

static void* write_all(void* unused) {
  (void)unused;
  static char buffer[kTransfer];
  while (!ended) {
    const ssize_t got = write(pipe_pair[1], buffer, sizeof buffer);
    check("a large write to a pipe", got == sizeof buffer || ended, got);
  }
  return NULL;
}

__attribute__((noinline)) static void lap(int64_t number) {
  laps += number;  // the probed line
  // Where only a jump over several instructions fits: targets/several.c says why.
  uint32_t low, other;
  __asm__ volatile(  // the line that needs a stop
      "movl %%edi, -8(%%rsp)\n\t"
      "xchgl %%ecx, %%eax\n\t"
      "xchgl %%edx, %%eax\n\t"
      "cwtl\n\t"
      "xchgl %%ecx, %%eax\n\t"
      "cltd"
      : "=&a"(low), "=&c"(other)
      : "D"(number)
      : "rdx", "memory");
}

static void* run_laps(void* unused) {
  (void)unused;
  for (int64_t i = 0; !ended; i++) {
    lap(i);
    if (i % 1000 == 0) usleep(1000);
  }
  return NULL;
}

// Wakes those who wait for somebody else.
static void* wake_others(void* is_idle) {
  struct sembuf give = {.sem_num = 0, .sem_op = 1};
  while (!ended) {
    const uint64_t one = 1;
    if (semop(semaphore, &give, 1) != 0) disturbed("semop of the waker", -1);
    if (write(event_fd, &one, sizeof one) != sizeof one) disturbed("write of the waker", -1);
    if (is_idle != NULL) lap(1);
    const struct timespec time = {0, 200000000};
    if (nanosleep(&time, NULL) != 0) disturbed("nanosleep of the waker", -1);
  }
  semctl(semaphore, 0, IPC_RMID);
  return NULL;
}

int main(int argc, char** argv) {
  void* (*const roles[])(void*) = {run_laps,     wait_epoll, wait_semop,  wait_signal,
                                   wait_receive, wait_sleep, wait_futex,  wait_poll,
                                   wait_all,     write_all,  feed_socket, drain_pipe};
  enum { kRoles = sizeof roles / sizeof roles[0], kSteady = 8 };
  const int is_idle = argc > 1 && strcmp(argv[1], "idle") == 0;
  const int is_steady = argc > 1 && strcmp(argv[1], "steady") == 0;
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGUSR2);
  sigprocmask(SIG_BLOCK, &signals, NULL);
  signal(SIGPIPE, SIG_IGN);
  semaphore = semget(IPC_PRIVATE, 1, IPC_CREAT | 0600);
  event_fd = eventfd(0, 0);
  if (semaphore < 0 || event_fd < 0 || pipe(pipe_pair) != 0 ||
      socketpair(AF_UNIX, SOCK_STREAM, 0, socket_pair) != 0) {
    return 2;
  }
  pthread_t waker, thread;
  pthread_create(&waker, NULL, wake_others, is_idle ? &waker : NULL);
  for (int i = is_idle; i < (is_steady ? kSteady : kRoles); i++) {
    pthread_create(&thread, NULL, roles[i], NULL);
    pthread_detach(thread);
  }
  // Each that waits has waited once: what they set up is all there.
  while (waiters < (is_steady ? kSteady - 1 : kRoles - 3)) usleep(1000);
  puts("ready");
  fflush(stdout);
  sigdelset(&signals, SIGUSR2);
  int number = 0;
  sigwait(&signals, &number);
  ended = 1;
  pthread_join(waker, NULL);
  printf("waits %llu\n", (unsigned long long)waits);
  fflush(stdout);
  _exit(waits > 0 ? 0 : 1);
}
