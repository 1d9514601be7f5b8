// Control that arrives in the middle of things: exceptions in landing pads, longjmp
// behind a setjmp, contexts behind a swapcontext, computed gotos at their labels, and
// signal handlers that leave by a jump. With CALM neither signals nor contexts: a process
// that has those may not be stopped for a jump over several instructions. All its statements are
// small, so that a jump laid over one of them reaches into the next. Each round's result is
// checked; on SIGTERM the program exits 0 when all were right.
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

namespace {

std::atomic<bool> ended = false;
std::atomic<uint64_t> wrong = 0;
std::atomic<uint64_t> rounds = 0;

void check(bool right) {
  if (!right) ++wrong;
}

struct Counted {
  int* count;
  ~Counted() { ++*count; }
};

__attribute__((noinline)) int throw_if(int value, int* count) {
  Counted counted{count};
  if (value % 3 == 0) throw std::out_of_range("three");
  if (value % 5 == 0) throw value;
  return value;
}

__attribute__((noinline)) int catches(int value) {
  int count = 0;
  int result = 1;
  try {
    result += throw_if(value, &count);
    result ^= 16;
  } catch (const std::out_of_range&) {
    result += 100;
    result ^= 32;
  } catch (int thrown) {
    result += thrown;
    result ^= 64;
  }
  result += count;
  return result;
}

int caught_as_expected(int value) {
  if (value % 3 == 0) return ((1 + 100) ^ 32) + 1;
  if (value % 5 == 0) return ((1 + value) ^ 64) + 1;
  return ((1 + value) ^ 16) + 1;
}

struct Leap {
  jmp_buf back;
  int depth = 0;
};

__attribute__((noinline)) void descend(Leap& leap, int depth) {
  if (depth < 0) return;
  leap.depth += 1;
  if (depth == 0) longjmp(leap.back, 7);
  descend(leap, depth - 1);
  leap.depth += 1000;
}

__attribute__((noinline)) int leaps(int value) {
  Leap leap;
  volatile int seen = value;
  const int how = setjmp(leap.back);
  seen = seen + how;
  seen = seen ^ 3;
  if (how == 0) descend(leap, value & 7);
  seen = seen + leap.depth;
  return seen;
}

int leapt_as_expected(int value) { return (((value ^ 3) + 7) ^ 3) + (value & 7) + 1; }

#ifndef CALM
struct Coroutine {
  ucontext_t outside{};
  ucontext_t inside{};
  alignas(16) char stack[65536];
  int given = 0;
  int made = 0;
};

void serve(unsigned low, unsigned high) {
  auto* self = reinterpret_cast<Coroutine*>(uint64_t{low} | uint64_t{high} << 32);
  for (int sum = 0;;) {
    sum += self->given;
    self->made = sum;
    swapcontext(&self->inside, &self->outside);
    sum ^= 5;
    sum -= self->made;
  }
}

void begin(Coroutine& self) {
  getcontext(&self.inside);
  self.inside.uc_stack.ss_sp = self.stack;
  self.inside.uc_stack.ss_size = sizeof self.stack;
  self.inside.uc_link = nullptr;
  const auto at = reinterpret_cast<uint64_t>(&self);
  makecontext(&self.inside, reinterpret_cast<void (*)()>(serve), 2, static_cast<unsigned>(at),
              static_cast<unsigned>(at >> 32));
}

__attribute__((noinline)) int resumes(Coroutine& self, int value, int& sum) {
  self.given = value;
  swapcontext(&self.outside, &self.inside);
  const int made = self.made;
  const int due = sum + value;
  sum = (due ^ 5) - due;
  return made - due;
}

#endif

// A little machine: add, double, turn over, until the program is through.
__attribute__((noinline)) int interprets(const unsigned char* code, int value) {
  static const void* const kLabels[] = {&&add, &&twice, &&turn, &&end};
  goto* kLabels[*code];
add:
  value += 3;
  goto* kLabels[*++code];
twice:
  value *= 2;
  goto* kLabels[*++code];
turn:
  value = ~value;
  goto* kLabels[*++code];
end:
  return value;
}

void round_of(int value) {
  check(catches(value) == caught_as_expected(value));
  check(leaps(value) == leapt_as_expected(value));
  static const unsigned char kCode[] = {0, 1, 2, 1, 0, 2, 3};
  check(interprets(kCode, value) == ~(~((value + 3) * 2) * 2 + 3));
}

void run(unsigned first) {
#ifndef CALM
  auto coroutine = std::make_unique<Coroutine>();
  begin(*coroutine);
  int sum = 0;
#endif
  for (unsigned i = first; !ended; ++i) {
    const int value = static_cast<int>(i % 100'000);
    round_of(value);
#ifndef CALM
    check(resumes(*coroutine, value, sum) == 0);
#endif
    rounds.fetch_add(1, std::memory_order_relaxed);
  }
}

#ifndef CALM
thread_local sigjmp_buf from_handler;
thread_local volatile sig_atomic_t may_leave = 0;

void on_alarm(int) {
  const int value = static_cast<int>(rounds.load(std::memory_order_relaxed) % 1000);
  check(leaps(value) == leapt_as_expected(value));
  if (may_leave != 0) siglongjmp(from_handler, 1);
}

// Leaves the handler of every signal by a jump, whatever it was about to do.
void leave_handlers() {
  const unsigned char kCode[] = {0, 1, 2, 1, 0, 2, 3};
  volatile int value = 0;
  if (sigsetjmp(from_handler, 1) != 0) value = value + 1;
  may_leave = 1;
  while (!ended) check(interprets(kCode, value) == ~(~((value + 3) * 2) * 2 + 3));
  may_leave = 0;
}

// Signals go to the threads that `make` makes, not to the one that calls it.
template <class Make>
void with_alarms(Make make) {
  signal(SIGALRM, on_alarm);
  make();
  sigset_t alarms;
  sigemptyset(&alarms);
  sigaddset(&alarms, SIGALRM);
  pthread_sigmask(SIG_BLOCK, &alarms, nullptr);
  const itimerval every{{0, 2000}, {0, 2000}};
  setitimer(ITIMER_REAL, &every, nullptr);
}
#endif

void on_term(int) { ended = true; }

}  // namespace

int main() {
  signal(SIGTERM, on_term);
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < 3; ++i) threads.emplace_back(run, i * 1000);
#ifndef CALM
  with_alarms([&threads] { threads.emplace_back(leave_handlers); });
#endif
  (void)!write(1, "ready\n", 6);
  for (std::thread& thread : threads) thread.join();
  return wrong == 0 && rounds > 0 ? 0 : 1;
}
