// What `nohalt plan` found: for each LOCATION the places in the machine code,
// whether and how each would be patched, and what is visible there.
//
// Threading: plain values.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace nohalt::output {

// Something that stands in the way, with the next step.
struct Obstacle {
  std::string reason;   // stable kebab-case token
  std::string message;  // one sentence
  std::string hint;     // one sentence; may be empty
};

struct PlanVariable {
  std::string name;
  std::string type;
  std::string kind;                            // argument, local, global, expression, condition
  std::string state;                           // available, optimized_out, redacted, unavailable
  std::string why;                             // where it is not available
  std::vector<std::uint32_t> available_lines;  // of the same function
};

// A value that the probe would show, or would not.
struct PlanValue {
  std::string name;
  std::string type;
  std::string state;  // leaves, partly, hidden, not-captured
  std::string why;    // hidden, not-captured
  struct Hidden {
    std::string path;
    std::string why;
  };
  std::vector<Hidden> hidden;  // partly: what does not leave
};

struct PlanSite {
  std::string file;
  std::uint32_t line = 0;
  std::string function;
  std::string inlined_into;  // empty: not an inlined copy
  std::string module = {};   // the library that it is in; empty: the program
  std::string module_build_id = {};
  std::uint64_t link_address = 0;
  std::uint64_t runtime_address = 0;
  std::uint64_t patched_address = 0;  // run-time; where the jump would go
  std::string engine;                 // that would serve it; empty where refused
  std::string window;                 // as the engine calls it
  std::string listing;                // the displaced instruction
  std::uint32_t changed_bytes = 0;
  struct Stop {
    std::uint32_t threads = 0;
    std::chrono::microseconds expected_hold{0};
  };
  std::optional<Stop> stop = {};   // of all threads, that placing it takes
  std::vector<Obstacle> refusals;  // empty: it can be probed
  std::vector<PlanVariable> variables;
  std::vector<PlanValue> values = {};  // where they were asked for

  // The worst case of one hit, by the verifier; zero: no program was compiled.
  std::uint32_t instructions = 0;
  std::uint32_t record_bytes = 0;
  std::uint32_t system_calls = 0;
};

struct PlanPlace {
  std::string location;  // as asked for
  std::vector<PlanSite> sites;
  std::vector<Obstacle> errors;         // where the LOCATION came to nothing
  std::vector<Obstacle> warnings = {};  // code that it may mean too, and where no probe would be
};

struct PlanReport {
  pid_t pid = 0;
  std::string exe;
  std::string build_id;
  std::vector<Obstacle> refusals;  // of the whole process, such as seccomp-filter
  std::vector<PlanPlace> places;
  std::vector<std::string> value_rules = {};  // with the values: what all text is searched for
};

// For people, ending in a newline; `colour` where a terminal reads it.
[[nodiscard]] std::string plan_text(const PlanReport& report, bool colour);
// One JSON object and a newline.
[[nodiscard]] std::string plan_json(const PlanReport& report);

}  // namespace nohalt::output
