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

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "policy/access/grant.h"
#include "probes/engines/inline/mapped_image.h"
#include "probes/program/program.h"
#include "probes/symbols/debug_info.h"
#include "probes/target/heartbeat.h"
#include "probes/target/process.h"
#include "src/base/address.h"
#include "src/base/result.h"

namespace nohalt::engines {

// How one site would be patched, or the named reason why not.
struct SitePlan {
  LinkAddress pc;       // the statement's first address
  LinkAddress patched;  // where the jump goes; differs only if that was shown safe
  // "one-instruction", "punned", "evicted", "several-instructions"; empty where refused.
  std::string window;
  std::string listing;  // the displaced instructions, for people
  std::uint32_t changed_bytes = 0;
  // All threads are stopped for a moment to place it, and, in a library that may be
  // unloaded, to take it off; for how long, as far as the number of threads tells.
  bool needs_stop = false;
  std::uint32_t threads = 0;
  std::chrono::microseconds expected_hold{0};
  // The target has a handler for faults. It is asked while arming whether it is
  // one-shot (a crash reporter); if not, this site is refused then.
  bool relies_on_one_shot_fault_handler = false;
  std::string refusal;       // kebab-case token; empty: it can be patched
  std::string refusal_text;  // one sentence
  std::string refusal_hint;
  [[nodiscard]] bool patchable() const { return refusal.empty(); }
};

// Whether sites may be chosen for which all threads have to be stopped.
enum class StopRule { kNever, kWhereNeeded };

// What a site has to do with its function's calls.
enum class SiteRole {
  kStatement,
  kCallEntry,  // its program opens calls; placed at line.pc and nowhere else
  kReturn,     // its program closes them; the same
};

// One place to arm: where, and what to run there.
struct SiteToArm {
  symbols::LineSite line;
  program::Program program;
  std::uint32_t probe = 0;  // index of the probe that it is a copy of
  StopRule stops = StopRule::kNever;
  std::size_t file = 0;  // index of the file that it lies in
  SiteRole role = SiteRole::kStatement;
  bool behind = false;  // kReturn: the program runs when the displaced instruction has run
};

struct ProbeToArm {
  std::uint64_t hits_per_second = 10;
  std::uint64_t bytes_per_second = 256 * 1024;
  std::optional<std::uint64_t> total_hits;
};

// All of one run in one target: armed together or not at all.
struct RunToArm {
  std::vector<ProbedFile> files;  // the program first
  std::vector<ProbeToArm> probes;
  std::vector<SiteToArm> sites;  // of one probe after those of another
};

// SHA-256 over what would run where, lower-case hex; binds a Grant.
[[nodiscard]] std::string program_hash(const RunToArm& run);

// What was done to the target's threads, and for how long.
struct HoldReport {
  std::uint32_t count = 0;
  std::chrono::nanoseconds longest{0};
  std::chrono::nanoseconds total{0};
};

// Of one probe, over all its sites.
struct ProbeCounters {
  std::uint64_t hits = 0;
  std::uint64_t matched = 0;
  std::uint64_t suppressed = 0;
  std::uint64_t dropped = 0;
  std::uint64_t recorded = 0;
  std::uint64_t condition_unavailable = 0;
  double mean_cost_ns = 0;
  double worst_cost_ns = 0;
};

// What removal left behind and how that was proven.
struct RemovalProof {
  bool text_restored = false;
  bool mappings_as_before = false;
  bool descriptors_as_before = false;
  bool threads_as_before = false;
  std::vector<std::string> left;        // what had to stay, and why
  std::vector<pid_t> dormant_children;  // forked while armed; the text in them is not this run's
  // Libraries that were unloaded while they were probed, by path: what was in them went
  // with them, and what is there now was not touched.
  std::vector<std::string> unloaded;
  bool target_gone = false;
};

// One captured record as it came from the ring, copied and checked.
struct RawRecord {
  std::uint32_t site = 0;  // index into the armed sites. Of a return: `seq` is its call's
  std::uint32_t tid = 0;   // in the tool's pid namespace; 0: unknown
  std::uint64_t seq = 0;
  std::uint64_t suppressed = 0;
  std::uint64_t dropped = 0;
  std::int64_t wall_ns = 0;  // since the epoch
  std::uint64_t ticks = 0;   // the same moment, for ArmedRun::nanoseconds
  std::vector<std::byte> body;
};

enum class RunState {
  kRunning,
  kLeaseOver,
  kSwitchedOff,
  kTargetGone,
  kRemovedByOther,
  kTargetFiltered,       // a thread came under a system call filter: all is dormant
  kTargetHandlesFaults,  // a handler came for faults that a moved instruction may raise: as above
  kLibraryUnloaded,      // with all places of this run
};

class ArmedRun {
 public:
  virtual ~ArmedRun() = default;
  // Refills rates, renews the lease, reads the ring. Call at least each 100 ms.
  [[nodiscard]] virtual RunState tick(const std::function<void(const RawRecord&)>& sink) = 0;
  // One for each probe.
  [[nodiscard]] virtual std::vector<ProbeCounters> counters() const = 0;
  [[nodiscard]] virtual HoldReport holds() const = 0;
  [[nodiscard]] virtual double nanoseconds(std::uint64_t ticks) const = 0;
  // Hex digits by which the run is known to others.
  [[nodiscard]] virtual const std::string& id() const = 0;
  // Run-time addresses of the sites.
  [[nodiscard]] virtual std::vector<RuntimeAddress> addresses() const = 0;
  // Idempotent. After it no probe of this run records anything; the records that
  // were still in the ring go to the sink of the last tick.
  [[nodiscard]] virtual Result<RemovalProof> disarm() = 0;
};

struct ArmOptions {
  std::string run_id;  // as id()
};

// Arms all sites or none. Errors, besides those of borrowing and of the sites'
// refusals: target-changed (not what the Grant names), already-probed,
// page-not-swappable and kin, clock-not-tsc, no-room, library-changed (not the one that
// was looked at); and where threads are to be stopped hold-limit (the Grant's is below
// what is expected), saved-contexts, too-many-stops, and those of target::stand_still.
[[nodiscard]] Result<std::unique_ptr<ArmedRun>> arm(const policy::Grant& grant,
                                                    const target::Process& process,
                                                    const RunToArm& run, const ArmOptions& options);

// What is armed in a process, or was left there by a run that ended: as its own
// control page claims, which the target could have forged.
struct FoundRun {
  std::string id;
  ProcessIdentity tool;
  bool tool_alive = false;
  std::uint64_t lease_deadline_tsc = 0;
  std::uint64_t lease_end_ns = 0;  // by CLOCK_MONOTONIC; 0: it has not begun
  std::vector<RuntimeAddress> addresses;
  target::FileId control;  // the file behind the control region, as the kernel numbers it
  bool inherited = false;  // of the process that this one was forked from
};
[[nodiscard]] Result<std::vector<FoundRun>> find_runs(const target::Process& process);

// Whether there is anything for recover() to do. Touches nothing.
[[nodiscard]] Result<bool> has_leftovers(const target::Process& process);

struct RecoverReport {
  std::vector<FoundRun> runs;  // whose remains were taken off
  std::uint32_t pages_restored = 0;
  RemovalProof proof;
  target::HoldReport holds;
};
// Takes off what runs whose tool is gone, or has been silent for long, left in
// the process; each byte is proven against the mapped file.
[[nodiscard]] Result<RecoverReport> recover(const target::Process& process);

}  // namespace nohalt::engines
