// What is written to a person or a program: hits, notices and the receipt that
// ends a run. Every text in them may come from the target; the writers make it
// safe, the value rules of redaction included.
//
// Threading: plain values.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "src/output/value.h"

namespace nohalt::output {

// The same in all records of a run. Empty fields are left out.
struct Origin {
  std::string run;  // as `nohalt list` shows it
  std::string host;
  pid_t pid = 0;
  std::string exe;
  std::string build_id;
  std::string service;  // as the target's environment names itself
  std::string version;
  std::string engine;
};

// A function that was running at a hit.
struct Frame {
  std::string function;
  std::string file;
  std::uint32_t line = 0;
  std::string module;  // where it is known by that only
  bool is_inlined = false;
  bool is_signal = false;  // not a function, but what the kernel put there for a handler
  std::vector<Value> values;
};

// Of a hit that is a call of a function.
struct CallEnd {
  bool is_seen = false;         // its return; else `why`
  std::string why;              // one sentence
  std::int64_t elapsed_ns = 0;  // from the first instruction to the return
};

// One hit of a logpoint, or of a snapshot point, or one call.
struct Hit {
  bool is_snapshot = false;
  std::optional<CallEnd> call;  // its return value is the last of the values, with role "return"
  std::int64_t wall_ns = 0;
  std::uint64_t seq = 0;  // per probe; a gap is a loss
  std::string probe;
  std::uint32_t tid = 0;  // 0: unknown
  std::string thread;
  std::string file;
  std::uint32_t line = 0;
  std::string function;
  std::string module;           // the library whose code was hit; empty: the program
  std::string module_build_id;  // of that library
  std::string message;
  std::vector<Value> values;
  std::optional<Value> error_number;  // snapshot: the thread's errno, where its place is known
  // Snapshot: where there is more than one function to tell of. The first is that
  // of the hit, whose values are above.
  std::vector<Frame> frames;
  std::string stack_end;         // why the frames end where they do; empty: no stack was asked for
  std::string stack_end_why;     // one sentence, where it is not the outermost
  std::uint64_t suppressed = 0;  // both cumulative
  std::uint64_t dropped = 0;
};

// Something that happened to the run, for people and programs.
struct Notice {
  std::int64_t wall_ns = 0;
  std::string reason;   // stable kebab-case token
  std::string message;  // one sentence
  std::string probe;    // empty: the whole run
};

// Counters of one probe, or of all.
struct Counters {
  std::uint64_t hits = 0;
  std::uint64_t matched = 0;
  std::uint64_t recorded = 0;
  std::uint64_t suppressed = 0;
  std::uint64_t dropped = 0;
  std::uint64_t condition_unavailable = 0;
  double mean_cost_ns = 0;
  double worst_cost_ns = 0;
};

struct ProbeCounters {
  std::string probe;
  std::string location;
  Counters counters;
};

struct Receipt {
  std::int64_t wall_ns = 0;
  std::string outcome;  // stable token: hits-reached, lease-over, interrupted, output-closed,
                        // target-gone, switched-off-by-cpu-budget, removed-by-other,
                        // target-sandboxed, target-handles-faults, library-unloaded, failed
  std::chrono::milliseconds lasted{0};

  std::uint32_t holds = 0;
  std::chrono::nanoseconds longest_hold{0};
  std::chrono::nanoseconds total_hold{0};

  Counters total;
  std::vector<ProbeCounters> probes;  // written where there are several
  std::uint64_t lost_output = 0;      // records that the reader of the output was too slow for

  // The removal proof. Not set where the target is gone.
  bool target_gone = false;
  bool text_restored = false;
  bool mappings_as_before = false;
  bool descriptors_as_before = false;
  bool threads_as_before = false;
  std::vector<std::string> left;      // what had to stay, and why
  std::vector<std::string> unloaded;  // paths of libraries that went while they were probed

  std::vector<std::string> lowered;                 // what the policy lowered
  std::map<std::string, std::uint64_t> redactions;  // by rule, how often
  std::string output_salt;                          // with it the audit's digest can be checked
};

}  // namespace nohalt::output
