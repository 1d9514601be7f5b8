// What a hit costs: calls a small function in bursts, on request, and tells the
// time of one call. A burst is short and followed by a pause, so that whoever
// records the hits can keep up and no hit is dropped (a drop is cheap, and
// would flatter).
//
//   stdin:  KIND BURST ROUNDS PAUSE_US      KIND: plain | source | lttng
//   stdout: MEDIAN P10 P90                  nanoseconds a call, over the rounds
//
// plain: the function that probes are set on. source: the same with a capture
// of its three values written into its source, and a thread that reads the
// records meanwhile, as nohalt does. lttng: with a static tracepoint of the
// same three values.
#include <unistd.h>
#include <x86intrin.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "tests/bench/hit/in_source.h"
#include "tests/bench/peers/tracepoints.h"

namespace {

using nohalt::runtime::ProbeState;
using nohalt::runtime::SlotState;
using Word __attribute__((may_alias)) = std::uint64_t;
using Call = std::int64_t (*)(std::int64_t, std::int64_t, const char*);

constexpr auto kReady = static_cast<std::uint32_t>(SlotState::kReady);

volatile std::int64_t sink;

// The value is there, in a register, whatever the optimiser thinks of it.
void keep(std::int64_t value) { asm volatile("" : : "r"(value)); }

[[gnu::noinline]] std::int64_t plain(std::int64_t first, std::int64_t second, const char* text) {
  std::int64_t third = first * second;
  keep(third);
  sink = 123456789;  // the probed line
  keep(second);
  if (text[0] == '\0') third = 0;
  return third + first;
}

[[gnu::noinline]] std::int64_t source(std::int64_t first, std::int64_t second, const char* text) {
  std::int64_t third = first * second;
  keep(third);
  nohalt::bench::capture_in_source(static_cast<std::uint64_t>(first),
                                   static_cast<std::uint64_t>(second),
                                   static_cast<std::uint64_t>(third));
  sink = 123456789;
  keep(second);
  if (text[0] == '\0') third = 0;
  return third + first;
}

[[gnu::noinline]] std::int64_t lttng(std::int64_t first, std::int64_t second, const char* text) {
  std::int64_t third = first * second;
  keep(third);
  lttng_ust_tracepoint(nohalt_bench, hit, first, second, third);
  sink = 123456789;
  keep(second);
  if (text[0] == '\0') third = 0;
  return third + first;
}

double ns_per_tick() {
  const auto begin = std::chrono::steady_clock::now();
  const std::uint64_t tick = __rdtsc();
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - begin;
  return took.count() / static_cast<double>(__rdtsc() - tick);
}

// Reads and frees what was captured in the source, every few milliseconds.
void read_in_source_ring(const std::stop_token& stop) {
  std::uint64_t sum = 0;
  while (!stop.stop_requested()) {
    for (auto& slot : nohalt::bench::in_source_ring.slots) {
      const auto& header = slot.header;
      if (__atomic_load_n(&header.state, __ATOMIC_ACQUIRE) != kReady) continue;
      sum += header.seq + header.tsc + slot.values[0] + slot.values[1] + slot.values[2];
      // The writer takes a slot by its first word, in which the state stands.
      __atomic_store_n(reinterpret_cast<Word*>(&slot), 0, __ATOMIC_RELEASE);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  keep(static_cast<std::int64_t>(sum));
}

double burst_ticks(Call call, int burst) {
  static const char text[] = "a text of twenty-four by";
  unsigned processor = 0;
  const std::uint64_t begin = __rdtscp(&processor);
  for (int i = 0; i < burst; ++i) call(i, burst, text);
  return static_cast<double>(__rdtscp(&processor) - begin);
}

void measure(Call call, int burst, int rounds, int pause_us, double tick_ns) {
  constexpr int kWarming = 16;  // calls that bring the caches back after the pause
  std::vector<double> times;
  for (int i = 0; i < rounds; ++i) {
    if (pause_us > 0) usleep(static_cast<useconds_t>(pause_us));
    burst_ticks(call, std::min(kWarming, burst));
    times.push_back(burst_ticks(call, burst) * tick_ns / burst);
  }
  std::sort(times.begin(), times.end());
  const auto at = [&](double share) {
    return times[static_cast<std::size_t>(share * static_cast<double>(times.size() - 1))];
  };
  std::cout << at(0.5) << ' ' << at(0.1) << ' ' << at(0.9) << std::endl;
}

}  // namespace

int main() {
  auto& ring = nohalt::bench::in_source_ring;
  ring.lease_deadline = ~0ULL;
  ring.probe.seq_limit = ~0ULL;
  ring.probe.state = static_cast<std::uint32_t>(ProbeState::kOn);
  nohalt::bench::in_source_tid = static_cast<std::uint32_t>(gettid());
  const double tick_ns = ns_per_tick();
  std::cout << "ready" << std::endl;
  std::string kind;
  for (int burst, rounds, pause_us; std::cin >> kind >> burst >> rounds >> pause_us;) {
    if (burst < 1 || rounds < 1) return 2;
    if (kind != "source") {
      measure(kind == "lttng" ? lttng : plain, burst, rounds, pause_us, tick_ns);
      continue;
    }
    const std::jthread reader(read_in_source_ring);
    measure(source, burst, rounds, pause_us, tick_ns);
  }
  return ring.probe.dropped == 0 ? 0 : 1;
}
