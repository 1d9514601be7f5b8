// A small service for the end-to-end tests: threads do numbered jobs, and every
// value of a job follows from its number, so that a message about it can be
// checked.
//
//   service [threads] [jobs a second and thread; 0: as fast as it goes] [jobs; 0: no end]
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum job_state { kJobNew = 3, kJobDone = 70000 };

struct owner {
  const char* name;
  int32_t level;
};

struct job {
  int64_t serial;
  struct owner* owner;
  struct job* previous;
  double weight;
  enum job_state state;
  char tag[8];
  unsigned low : 5;
  unsigned high : 11;
};

static const char* const kNames[] = {"anna", "bruno", "chiara", "dario", "edith"};
static struct owner owners[5];
static _Atomic int64_t next_serial = 1;
static volatile sig_atomic_t ended;
static int64_t job_limit;
static long pause_ns;
int64_t jobs_seen;  // a global to look at; only roughly right with many threads

__attribute__((noinline)) static int64_t do_job(struct job* job, const char* label,
                                                int64_t amount) {
  int64_t square = amount * amount;
  double share = job->weight * 0.5;
  jobs_seen += 1;
  job->state = kJobDone;  // the line most tests probe
  if (share < 0 || label[0] == '\0') square = 0;
  return square + job->serial;
}

static void fill(struct job* job, int64_t serial) {
  memset(job, 0, sizeof *job);
  job->serial = serial;
  job->owner = &owners[serial % 5];
  job->weight = (double)serial * 0.25;
  job->state = kJobNew;
  snprintf(job->tag, sizeof job->tag, "t%d", (int)(serial % 1000));
  job->low = (unsigned)serial & 31;
  job->high = (unsigned)serial & 2047;
}

static void* work(void* wrong) {
  struct timespec pause = {pause_ns / 1000000000, pause_ns % 1000000000};
  while (!ended) {
    const int64_t serial = atomic_fetch_add(&next_serial, 1);
    if (job_limit != 0 && serial > job_limit) break;
    struct job job;
    fill(&job, serial);
    const int64_t result = do_job(&job, kNames[serial % 5], serial + 7);
    if (result != (serial + 7) * (serial + 7) + serial || job.state != kJobDone) {
      atomic_fetch_add((_Atomic int64_t*)wrong, 1);
    }
    if (pause_ns > 0) nanosleep(&pause, NULL);
  }
  return NULL;
}

static void on_term(int number) {
  (void)number;
  ended = 1;
}

int main(int argc, char** argv) {
  static _Atomic int64_t wrong;
  const int threads = argc > 1 ? atoi(argv[1]) : 2;
  const long rate = argc > 2 ? atol(argv[2]) : 100;
  job_limit = argc > 3 ? atoll(argv[3]) : 0;
  pause_ns = rate > 0 ? 1000000000 / rate : 0;
  for (int i = 0; i < 5; i++) owners[i] = (struct owner){kNames[i], i * 10};
  signal(SIGTERM, on_term);
  pthread_t* workers = calloc((size_t)threads, sizeof *workers);
  for (int i = 0; i < threads; i++) pthread_create(&workers[i], NULL, work, &wrong);
  puts("ready");
  fflush(stdout);
  for (int i = 0; i < threads; i++) pthread_join(workers[i], NULL);
  free(workers);
  while (!ended) nanosleep(&(struct timespec){0, 10000000}, NULL);
  printf("jobs %lld wrong %lld\n", (long long)(next_serial - 1), (long long)wrong);
  return wrong == 0 ? 0 : 1;
}
