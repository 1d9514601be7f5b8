// Many threads, signals and forks through the same probes while a reader empties
// the ring: every record is whole, every number unique, and what is not handed in
// is in the counters.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include "probes/records/ring_reader.h"
#include "tests/unit/runtime/in_process_run.h"
#include "tests/unit/runtime/programs.h"

namespace nohalt {
namespace {

using namespace std::chrono_literals;
using Hit = void (*)(std::uint64_t, std::uint64_t, std::uint64_t);

constexpr int kThreads = 64;
constexpr auto kDuration = 2s;

std::uint64_t seal(std::uint64_t a, std::uint64_t b) {
  return (a * 0x9e3779b97f4a7c15 ^ b) * 0xff51afd7ed558ccd;
}

// What the signal handler hits; set before the first signal.
std::atomic<Hit> handler_hit = nullptr;
std::atomic<std::uint64_t> handler_hits = 0;

void on_signal(int) {
  const std::uint64_t i = handler_hits.fetch_add(1);
  handler_hit.load()(0xa1a1, i, seal(0xa1a1, i));
}

class Stress : public ::testing::Test {
 protected:
  static constexpr std::uint32_t kBody = 24;
  Stress()
      : run_({{.body_size = kBody, .hits_per_second = 3000},
              {.body_size = kBody, .hits_per_second = 3000}}),
        reader_(run_.tool_side()) {
    run_.open_wide();
  }

  void take(const records::RingRecord& record) {
    std::uint64_t words[3];
    ASSERT_EQ(record.body.size(), sizeof words);
    std::memcpy(words, record.body.data(), sizeof words);
    torn_ += words[2] != seal(words[0], words[1]) ? 1 : 0;
    repeated_ += numbers_[record.site].insert(record.seq).second ? 0 : 1;
    ++records_[record.site];
  }

  void poll() {
    reader_.poll([](std::uint32_t) { return true; },
                 [this](const records::RingRecord& record) { take(record); });
  }

  void poll_garbage() {
    reader_.poll([](std::uint32_t) { return false; }, [](const records::RingRecord&) {});
  }

  void expect_nothing_lost(std::size_t site, std::uint64_t hits) const {
    const runtime::ProbeControl& probe = run_.probe(site);
    EXPECT_EQ(probe.hits(), hits);
    EXPECT_EQ(records_[site] + probe.dropped, probe.next_seq);
    EXPECT_EQ(torn_, 0u);
    EXPECT_EQ(repeated_, 0u);
    EXPECT_EQ(reader_.stats().malformed, 0u);
    EXPECT_EQ(reader_.stats().busy, 0u);
    EXPECT_GT(records_[site], 0u);
  }

  testing::InProcessRun run_;
  records::RingReader reader_;
  std::set<std::uint64_t> numbers_[2];
  std::uint64_t records_[2] = {};
  std::uint64_t torn_ = 0;
  std::uint64_t repeated_ = 0;
};

TEST_F(Stress, ManyThreadsAndSignalHandlersLoseNothingUncounted) {
  const auto hit = reinterpret_cast<Hit>(run_.add_program(0, testing::capture_words()));
  handler_hit = reinterpret_cast<Hit>(run_.add_program(1, testing::capture_words(true)));
  handler_hits = 0;
  struct sigaction action{};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigaction(SIGUSR1, &action, nullptr);

  std::atomic<bool> stop = false;
  std::atomic<std::uint64_t> hits = 0;
  std::vector<std::jthread> threads;
  for (std::uint64_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      std::uint64_t i = 0;
      for (; !stop; ++i) hit(t, i, seal(t, i));
      hits += i;
    });
  }
  const auto end = std::chrono::steady_clock::now() + kDuration;
  for (std::size_t i = 0; std::chrono::steady_clock::now() < end; ++i) {
    pthread_kill(threads[i % kThreads].native_handle(), SIGUSR1);
    if (i % 4 == 0) poll();
    std::this_thread::sleep_for(1ms);
  }
  stop = true;
  threads.clear();
  poll();
  expect_nothing_lost(0, hits);
  expect_nothing_lost(1, handler_hits);
}

// The handler interrupts a hit of the probe that it hits itself.
TEST_F(Stress, HandlerMayHitTheProbeThatIsRunning) {
  const auto hit = reinterpret_cast<Hit>(run_.add_program(0, testing::capture_words()));
  handler_hit = hit;
  handler_hits = 0;
  struct sigaction action{};
  action.sa_handler = on_signal;
  sigaction(SIGUSR1, &action, nullptr);
  std::atomic<bool> stop = false;
  std::uint64_t own = 0;
  std::jthread thread([&] {
    for (; !stop; ++own) hit(own, 7, seal(own, 7));
  });
  const auto end = std::chrono::steady_clock::now() + kDuration / 2;
  while (std::chrono::steady_clock::now() < end) {
    pthread_kill(thread.native_handle(), SIGUSR1);
    poll();
  }
  stop = true;
  thread.join();
  poll();
  expect_nothing_lost(0, own + handler_hits);
}

TEST_F(Stress, ConditionAndRateAreExactUnderManyThreads) {
  constexpr std::uint64_t kEach = 20000;
  run_.probe(0).seq_limit = 1000;
  const auto hit = reinterpret_cast<Hit>(run_.add_program(0, testing::capture_words(true)));
  std::vector<std::jthread> threads;
  for (int t = 0; t < 16; ++t) {
    threads.emplace_back([&] {
      for (std::uint64_t i = 0; i < kEach; ++i) hit(i % 2, i, seal(i % 2, i));
    });
  }
  threads.clear();
  poll();
  EXPECT_EQ(run_.probe(0).unmatched, 16 * kEach / 2);
  EXPECT_EQ(run_.probe(0).next_seq, 1000u);
  EXPECT_EQ(run_.probe(0).suppressed, 16 * kEach / 2 - 1000);
  EXPECT_EQ(records_[0] + run_.probe(0).dropped, 1000u);
}

TEST_F(Stress, HitsLetOutEarlyAreCountedAndChargedUnderManyThreads) {
  constexpr std::uint64_t kEach = 20000;
  constexpr std::uint64_t kAll = 16 * kEach;
  run_.probe(0).seq_limit = 1000;
  const auto hit = reinterpret_cast<Hit>(run_.add_program(0, testing::capture_words()));
  std::vector<std::jthread> threads;
  for (int t = 0; t < 16; ++t) {
    threads.emplace_back([&] {
      for (std::uint64_t i = 0; i < kEach; ++i) hit(i, i, seal(i, i));
    });
  }
  threads.clear();
  poll();
  EXPECT_EQ(run_.probe(0).next_seq, 1000u);
  EXPECT_EQ(run_.probe(0).suppressed, kAll - 1000);
  EXPECT_EQ(records_[0] + run_.probe(0).dropped, 1000u);
  EXPECT_GT(run_.probe(0).cpu_ticks_used, (kAll - 1000) / 256 * 256 * 40);
}

TEST_F(Stress, ForkedChildRecordsNothing) {
  const auto hit = reinterpret_cast<Hit>(run_.add_trampoline(0, testing::capture_three));
  hit(1, 2, seal(1, 2));
  const pid_t child = fork();
  if (child == 0) {
    for (int i = 0; i < 100; ++i) hit(1, 2, 3);
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  EXPECT_EQ(run_.probe(0).hits(), 1u);
}

// A child that shares the memory, as between vfork and exec, reads it as well.
TEST_F(Stress, ChildThatSharesTheMemoryReadsThroughPointers) {
  const auto hit = reinterpret_cast<Hit>(run_.add_trampoline(0, testing::capture_through_pointer));
  const auto values = std::make_unique<std::uint64_t[]>(3);
  values[1] = 77;
  const pid_t child = vfork();
  if (child == 0) {
    hit(reinterpret_cast<std::uint64_t>(values.get()), 0, 0);
    _exit(0);
  }
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  std::uint64_t seen = 0;
  std::memcpy(&seen, run_.tool_side().slot(0, 0) + sizeof(runtime::RecordHeader) + 8, sizeof seen);
  EXPECT_EQ(seen, 77u);
}

// What the tool and the target share may be written by the target at any time:
// whatever is in it, a hit writes nowhere else and comes back.
TEST_F(Stress, ScribbledControlRegionHarmsNobody) {
  const auto hit = reinterpret_cast<Hit>(run_.add_trampoline(0, testing::capture_three));
  const auto through =
      reinterpret_cast<Hit>(run_.add_trampoline(1, testing::capture_through_pointer));
  std::atomic<bool> stop = false;
  std::atomic<std::uint64_t> returned = 0;
  std::vector<std::jthread> threads;
  for (std::uint64_t t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937_64 random(t);
      for (; !stop; ++returned) {
        hit(1, 2, 3);
        through(random() >> (random() % 64), 0, 0);
      }
    });
  }
  std::mt19937_64 random(11);
  auto* words = reinterpret_cast<volatile std::uint64_t*>(&run_.tool_side().control());
  const std::uint64_t count = run_.tool_side().layout().region_size / sizeof(std::uint64_t);
  const auto end = std::chrono::steady_clock::now() + kDuration / 2;
  while (std::chrono::steady_clock::now() < end) {
    for (int i = 0; i < 10000; ++i) words[random() % count] = random() >> (random() % 64);
    run_.probe(0).state = 1;
    run_.probe(1).state = 1;
    poll_garbage();
  }
  stop = true;
  threads.clear();
  EXPECT_GT(returned, 0u);
}

// Pointers to memory that other threads unmap and map again.
TEST_F(Stress, ReadsOfVanishingMemoryAreWholeOrAbsent) {
  constexpr std::size_t kPage = 4096;
  const auto hit = reinterpret_cast<Hit>(run_.add_trampoline(0, testing::capture_through_pointer));
  void* place = mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  std::atomic<bool> stop = false;
  std::jthread vanishing([&] {
    while (!stop) {
      munmap(place, kPage);
      void* again = mmap(place, kPage, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
      if (again == place) std::memset(place, 0x77, kPage);
    }
  });
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      while (!stop) hit(reinterpret_cast<std::uint64_t>(place) + 8, 0, 0);
    });
  }
  std::uint64_t records = 0;
  std::uint64_t mixed = 0;
  const auto end = std::chrono::steady_clock::now() + kDuration / 2;
  while (std::chrono::steady_clock::now() < end) {
    reader_.poll([](std::uint32_t) { return true; },
                 [&](const records::RingRecord& record) {
                   ++records;
                   for (const std::byte byte : record.body)
                     mixed += byte != std::byte{0} && byte != std::byte{0x77} ? 1 : 0;
                 });
  }
  stop = true;
  threads.clear();
  vanishing.join();
  EXPECT_GT(records, 0u);
  EXPECT_EQ(mixed, 0u);
  munmap(place, kPage);
}

// Errno is the caller's, not the hit's.
TEST_F(Stress, FailedReadLeavesErrnoAlone) {
  const auto hit = reinterpret_cast<Hit>(run_.add_trampoline(0, testing::capture_through_pointer));
  errno = 4242;
  hit(8, 0, 0);
  EXPECT_EQ(errno, 4242);
  EXPECT_EQ(run_.probe(0).next_seq, 1u);
}

}  // namespace
}  // namespace nohalt
