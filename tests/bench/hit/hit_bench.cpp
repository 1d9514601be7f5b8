// What a hit costs, in one run: a capture written into the source, the same values
// through a trampoline, a condition that is false, a rate that is used up, a probe
// that is off, and a read through a pointer. Ends with the ratios that matter.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "tests/bench/hit/in_source.h"
#include "tests/unit/runtime/in_process_run.h"

namespace nohalt::bench {
namespace {

using Hit = void (*)(std::uint64_t, std::uint64_t, std::uint64_t);

constexpr std::uint64_t kSlots = 1024;
constexpr std::uint32_t kBody = 24;
constexpr std::uint32_t kRead =
    inline_engine::register_bit(offsetof(runtime::SavedRegisters, rdi)) |
    inline_engine::register_bit(offsetof(runtime::SavedRegisters, rsi)) |
    inline_engine::register_bit(offsetof(runtime::SavedRegisters, rdx));

__attribute__((noinline)) void nothing(std::uint64_t a, std::uint64_t, std::uint64_t) {
  benchmark::DoNotOptimize(a);
}

// Times batches that fit the ring; empties it between them, untimed. The figure
// that counts is the median batch: others may use the machine.
template <class Empty>
void measure(benchmark::State& state, Hit hit, std::uint64_t first, Empty empty) {
  benchmark::DoNotOptimize(hit);
  std::vector<double> batches;
  for (auto _ : state) {
    const auto begin = std::chrono::steady_clock::now();
    for (std::uint64_t i = 0; i < kSlots; ++i) hit(first, i, i + 1);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    state.SetIterationTime(took.count() / kSlots);
    batches.push_back(took.count() * 1e9 / kSlots);
    empty();
  }
  std::ranges::nth_element(batches, batches.begin() + static_cast<long>(batches.size() / 2));
  state.counters["median_ns"] = batches[batches.size() / 2];
}

void in_source(benchmark::State& state) {
  in_source_ring.slots.resize(kSlots);
  in_source_ring.lease_deadline = ~0ULL;
  in_source_ring.tokens = INT64_MAX;
  measure(state, capture_in_source, 1, [] {
    for (InSourceRecord& slot : in_source_ring.slots) slot.state = 0;
  });
  if (in_source_ring.dropped != 0) state.SkipWithError("records were dropped");
}

void empty_call(benchmark::State& state) {
  measure(state, nothing, 1, [] {});
}

struct Case {
  testing::BodyMaker body = testing::capture_three;
  std::uint64_t first = 1;
  std::uint32_t xmm_count = 0;
  void (*prepare)(testing::InProcessRun&) = [](testing::InProcessRun&) {};
};

void trampoline(benchmark::State& state, const Case& what) {
  testing::InProcessRun run({{.body_size = kBody, .hits_per_second = kSlots * 3}});
  run.open_wide();
  what.prepare(run);
  testing::TrampolineOptions options;
  options.xmm_count = what.xmm_count;
  options.registers = kRead;
  const auto hit = reinterpret_cast<Hit>(run.add_trampoline(0, what.body, options));
  const auto slots = run.tool_side().layout().sites[0].slot_count;
  measure(state, hit, what.first, [&] {
    for (std::size_t i = 0; i < slots; ++i) std::memset(run.tool_side().slot(0, i), 0, 8);
  });
  if (run.probe(0).dropped != 0) state.SkipWithError("records were dropped");
}

class Ratios : public benchmark::ConsoleReporter {
 public:
  void ReportRuns(const std::vector<Run>& runs) override {
    ConsoleReporter::ReportRuns(runs);
    for (const Run& run : runs)
      if (run.counters.contains("median_ns"))
        ns_[run.run_name.function_name] = run.counters.at("median_ns");
  }
  void print() const {
    std::printf("\n%-46s %6s  %s\n", "", "ratio", "aim");
    print_ratio("trampoline, three scalars / in source", "trampoline/three_scalars", "in_source",
                "1.3");
    print_ratio("condition false / trampoline, three scalars", "trampoline/condition_false",
                "trampoline/three_scalars", "0.5 (or 20 ns)");
  }

 private:
  void print_ratio(const char* title, const char* over, const char* under, const char* aim) const {
    if (ns_.count(over) == 0 || ns_.count(under) == 0) return;
    std::printf("%-46s %6.2f  %s\n", title, ns_.at(over) / ns_.at(under), aim);
  }
  std::map<std::string, double> ns_;
};

void add(const std::string& name, const std::function<void(benchmark::State&)>& what) {
  benchmark::RegisterBenchmark(name.c_str(), what)
      ->UseManualTime()
      ->Unit(benchmark::kNanosecond)
      ->Iterations(4000);
}

void add_trampoline(const std::string& name, Case what) {
  add("trampoline/" + name, [what](benchmark::State& state) { trampoline(state, what); });
}

int run(int argc, char** argv) {
  add("empty_call", empty_call);
  add("in_source", in_source);
  add_trampoline("three_scalars", {});
  add_trampoline("three_scalars_and_vector", {.xmm_count = 16});
  add_trampoline("condition_false", {.body = testing::capture_three_if_rdi, .first = 0});
  add_trampoline("rate_used_up",
                 {.prepare = [](testing::InProcessRun& r) { r.probe(0).seq_limit = 0; }});
  add_trampoline("probe_off", {.prepare = [](testing::InProcessRun& r) { r.probe(0).state = 0; }});
  static const std::uint64_t* heap = new std::uint64_t[3]{1, 2, 3};
  add_trampoline("through_pointer", {.body = testing::capture_through_pointer,
                                     .first = reinterpret_cast<std::uint64_t>(heap)});
  benchmark::Initialize(&argc, argv);
  Ratios reporter;
  benchmark::RunSpecifiedBenchmarks(&reporter);
  reporter.print();
  return 0;
}

}  // namespace
}  // namespace nohalt::bench

int main(int argc, char** argv) { return nohalt::bench::run(argc, argv); }
