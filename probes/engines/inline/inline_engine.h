// The inline engine: patches a jump at each site of a running process, so that
// the thread which runs the line captures the values itself and goes on.
//
//   plan   touches nothing: which sites can be patched, how, or why not
//   arm    takes a Grant; on any failure the target is as before
//   run    tick() keeps the lease and the rates alive and hands out records;
//          nothing traces the target meanwhile
//   disarm restores the text, proves it, and gives the receipt
//   recover takes off what a dead run left, proving each byte against the file
//
// Ownership: an ArmedRun disarms in its destructor. Threading: one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "policy/access/grant.h"
#include "probes/program/program.h"
#include "probes/symbols/debug_info.h"
#include "src/base/address.h"
#include "src/base/result.h"

namespace nohalt::engines {

// How one site would be patched, or the named reason why not.
struct SitePlan {
  LinkAddress pc;             // the statement's first address
  LinkAddress patched;        // where the jump goes; differs only if that was shown safe
  std::string window;         // "one-instruction", "punned"; empty where refused
  std::string listing;        // the displaced instruction, for people
  std::uint32_t changed_bytes = 0;
  bool needs_stop = false;
  std::string refusal;        // kebab-case token; empty: it can be patched
  std::string refusal_text;   // one sentence
  std::string refusal_hint;
  [[nodiscard]] bool patchable() const { return refusal.empty(); }
};

// One place to arm: where, and what to run there.
struct SiteToArm {
  SitePlan plan;
  program::Program program;
  std::uint64_t hits_per_second = 10;
  std::uint64_t bytes_per_second = 256 * 1024;
};

// What was done to the target's threads, and for how long.
struct HoldReport {
  std::uint32_t count = 0;
  std::chrono::nanoseconds longest{0};
  std::chrono::nanoseconds total{0};
};

struct SiteCounters {
  std::uint64_t hits = 0;
  std::uint64_t matched = 0;
  std::uint64_t suppressed = 0;
  std::uint64_t dropped = 0;
  std::uint64_t recorded = 0;
  std::uint64_t condition_unavailable = 0;
  double mean_cost_ns = 0;
  double worst_cost_ns = 0;
  bool switched_off_by_cpu_budget = false;
};

// What removal left behind and how that was proven.
struct RemovalProof {
  bool text_restored = false;
  bool mappings_as_before = false;
  bool descriptors_as_before = false;
  bool threads_as_before = false;
  std::vector<std::string> left;  // what had to stay, and why
  bool target_gone = false;
};

// One captured record as it came from the ring, copied and checked.
struct RawRecord {
  std::uint32_t site = 0;  // index into the armed sites
  std::uint32_t tid = 0;   // in the tool's pid namespace; 0: unknown
  std::uint64_t seq = 0;
  std::uint64_t suppressed = 0;
  std::uint64_t dropped = 0;
  std::int64_t wall_ns = 0;  // since the epoch
  std::vector<std::byte> body;
};

enum class RunState { kRunning, kLeaseOver, kSwitchedOff, kTargetGone, kRemovedByOther };

class ArmedRun {
 public:
  virtual ~ArmedRun() = default;
  // Refills rates, renews the lease, reads the ring. Call at least each 100 ms.
  [[nodiscard]] virtual RunState tick(const std::function<void(const RawRecord&)>& sink) = 0;
  [[nodiscard]] virtual std::vector<SiteCounters> counters() const = 0;
  [[nodiscard]] virtual HoldReport holds() const = 0;
  // Idempotent. After it no probe of this run records anything.
  [[nodiscard]] virtual Result<RemovalProof> disarm() = 0;
};

}  // namespace nohalt::engines
