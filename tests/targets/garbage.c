// Calls a function with every kind of bad pointer, by turns; it looks at none
// of them itself. A capture that follows them must say so and do no harm.
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

struct node {
  int64_t value;
  struct node* next;
  const char* text;
};

enum { kPage = 4096 };

static volatile sig_atomic_t ended;
static void* volatile flickering;  // a page that is mapped and unmapped all the time
uint64_t looks;

__attribute__((noinline)) static void look(const char* kind, struct node* node, const char* text,
                                           struct node* inner) {
  looks += 1;  // the probed line
  // What they point at counts as read, so that it is all there.
  __asm__ volatile("" : : "r"(kind), "r"(node), "r"(text), "r"(inner) : "memory");
}

static void* flicker(void* unused) {
  (void)unused;
  void* const place = mmap(NULL, kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  flickering = place;
  while (!ended) {
    mmap(place, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    memset(place, 0x41, 64);
    mprotect(place, kPage, PROT_NONE);
  }
  return NULL;
}

// A page that was mapped a moment ago.
static void* just_unmapped(void) {
  void* const place = mmap(NULL, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap(place, kPage);
  return place;
}

static void on_term(int number) {
  (void)number;
  ended = 1;
}

static void look_at(const char* kind, void* place) {
  struct node outer = {.value = 7, .next = place, .text = place};
  look(kind, place, place, &outer);
}

int main(void) {
  signal(SIGTERM, on_term);
  pthread_t other;
  pthread_create(&other, NULL, flicker, NULL);
  while (flickering == NULL) nanosleep(&(struct timespec){0, 1000000}, NULL);
  // A string that runs into an unmapped page, and a readable node.
  char* const pages =
      mmap(NULL, 2 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap(pages + kPage, kPage);
  memset(pages, 'x', kPage);
  static struct node good = {.value = 42, .next = &good, .text = "good"};
  puts("ready");
  fflush(stdout);
  while (!ended) {
    look("good", &good, good.text, &good);
    look_at("null", NULL);
    look_at("low", (void*)0x10);
    look_at("wild", (void*)0x123456789a8);
    look_at("unaligned", (char*)just_unmapped() + 3);
    look_at("unmapped", just_unmapped());
    look_at("kernel", (void*)0xffffffff81000000);
    look_at("noncanonical", (void*)0x8000000000000000);
    look_at("last", (void*)0xfffffffffffffff9);
    look_at("edge", pages + kPage - 4);
    look_at("flicker", flickering);
    nanosleep(&(struct timespec){0, 2000000}, NULL);
  }
  pthread_join(other, NULL);
  printf("looks %llu\n", (unsigned long long)looks);
  return looks > 0 ? 0 : 1;
}
