// What a hit costs, in one run: a capture written into the source, the same values
// through a trampoline, a condition that is false, a rate that is used up, a probe
// that is off, and a read through a pointer; each by a capture program that is
// translated as for a target. Ends with the ratios that matter, from batches taken
// in turn, so that what else the machine does weighs on each alike.
#include <benchmark/benchmark.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/bench/hit/in_source.h"
#include "tests/unit/runtime/in_process_run.h"
#include "tests/unit/runtime/programs.h"

namespace nohalt::bench {
namespace {

using Hit = void (*)(std::uint64_t, std::uint64_t, std::uint64_t);

constexpr std::uint64_t kSlots = 1024;
constexpr std::uint32_t kBody = 24;

// One thing to measure: a function to call, and what to do between batches.
struct Case {
  std::string name;
  Hit hit = nullptr;
  std::uint64_t first = 1;
  std::function<void()> empty = [] {};

  // Seconds a hit, over one batch that fits the ring.
  [[nodiscard]] double batch() const {
    const auto begin = std::chrono::steady_clock::now();
    for (std::uint64_t i = 0; i < kSlots; ++i) hit(first, i, i + 1);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    empty();
    return took.count() / kSlots;
  }
};

__attribute__((noinline)) void nothing(std::uint64_t a, std::uint64_t, std::uint64_t) {
  benchmark::DoNotOptimize(a);
}

Case in_source() {
  in_source_tid = static_cast<std::uint32_t>(syscall(SYS_gettid));
  in_source_ring.lease_deadline = ~0ULL;
  in_source_ring.probe.seq_limit = ~0ULL;
  in_source_ring.probe.state = static_cast<std::uint32_t>(runtime::ProbeState::kOn);
  return {.name = "in_source", .hit = capture_in_source, .empty = [] {
            for (InSourceRecord& slot : in_source_ring.slots) std::memset(&slot, 0, 8);
          }};
}

using Run = testing::InProcessRun;
using Add = std::function<std::uint64_t(Run&)>;

Case trampoline(const std::string& name, const Add& add, std::uint64_t first = 1) {
  const auto run = std::make_shared<Run>(
      std::vector<records::SiteNeeds>{{.body_size = kBody, .hits_per_second = kSlots * 3}});
  run->open_wide();
  const auto hit = reinterpret_cast<Hit>(add(*run));
  const auto slots = run->tool_side().layout().sites[0].slot_count;
  return {.name = "trampoline/" + name, .hit = hit, .first = first, .empty = [run, slots] {
            for (std::size_t i = 0; i < slots; ++i) std::memset(run->tool_side().slot(0, i), 0, 8);
          }};
}

std::vector<Case> all_cases() {
  static const std::uint64_t values[3] = {1, 2, 3};
  const program::Program three = testing::capture_words();
  const program::Program three_if = testing::capture_words(true);
  return {
      {.name = "empty_call", .hit = nothing},
      in_source(),
      trampoline("three_scalars", [&](Run& run) { return run.add_program(0, three); }),
      trampoline(
          "condition_false", [&](Run& run) { return run.add_program(0, three_if); }, 0),
      trampoline("condition_true", [&](Run& run) { return run.add_program(0, three_if); }),
      trampoline("all_registers_and_all_xmm",
                 [](Run& run) {
                   return run.add_trampoline(0, testing::capture_three, {.xmm_count = 16});
                 }),
      trampoline("rate_used_up",
                 [&](Run& run) {
                   run.probe(0).seq_limit = 0;
                   return run.add_program(0, three);
                 }),
      trampoline("probe_off",
                 [&](Run& run) {
                   run.probe(0).state = 0;
                   return run.add_program(0, three);
                 }),
      trampoline(
          "through_pointer",
          [](Run& run) { return run.add_program(0, testing::capture_pointee()); },
          reinterpret_cast<std::uint64_t>(values)),
  };
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<long>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

void print_ratios(const Case& source, const Case& full, const Case& quick) {
  constexpr int kRounds = 6000;
  std::vector<double> source_ns, full_ns, quick_ns, overhead, share;
  for (int round = 0; round < kRounds; ++round) {
    source_ns.push_back(source.batch() * 1e9);
    full_ns.push_back(full.batch() * 1e9);
    quick_ns.push_back(quick.batch() * 1e9);
    overhead.push_back(full_ns.back() / source_ns.back());
    share.push_back(quick_ns.back() / full_ns.back());
  }
  std::printf(
      "\nin turn, medians: in source %.1f ns, trampoline %.1f ns, condition false %.1f ns\n",
      median(source_ns), median(full_ns), median(quick_ns));
  std::printf("trampoline / in source          %.2f  (aim 1.3)\n", median(overhead));
  std::printf("condition false / trampoline    %.2f  (aim 0.5, or 20 ns)\n", median(share));
}

int run(int argc, char** argv) {
  const std::vector<Case> cases = all_cases();
  for (const Case& one : cases) {
    benchmark::RegisterBenchmark(one.name.c_str(),
                                 [&one](benchmark::State& state) {
                                   for (auto _ : state) state.SetIterationTime(one.batch());
                                 })
        ->UseManualTime()
        ->Iterations(1000)
        ->Repetitions(5)
        ->ReportAggregatesOnly(true);
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  print_ratios(cases[1], cases[2], cases[3]);
  return 0;
}

}  // namespace
}  // namespace nohalt::bench

int main(int argc, char** argv) { return nohalt::bench::run(argc, argv); }
