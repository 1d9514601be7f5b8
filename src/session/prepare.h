// From the words of a probe to programs that could be armed: resolve the place,
// judge each copy of it, bind message and condition there, build and verify the
// capture program. Touches nothing; `plan` shows what comes out, `log` arms it.
//
// Ownership: the Modules must outlive what is prepared from it.
// Threading: one thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "policy/access/leave.h"
#include "policy/limits/lowering.h"
#include "policy/redaction/redaction_rules.h"
#include "policy/redaction/value_rules.h"
#include "probes/capture/capture.h"
#include "probes/engines/inline/planner.h"
#include "probes/language/binder.h"
#include "probes/language/scope.h"
#include "probes/program/verifier.h"
#include "probes/spec/probe_spec.h"
#include "probes/symbols/debug_info.h"
#include "src/base/result.h"
#include "src/session/modules.h"
#include "src/session/slices.h"
#include "src/session/snapshot.h"

namespace nohalt::session {

// One copy of a probe's place.
struct PreparedSite {
  symbols::LineSite line;
  engines::ChosenSite chosen;
  std::string module;           // the library that it is in; empty: the program
  std::string module_build_id;  // of that library
  std::unique_ptr<language::ScopeView> scope;
  language::BoundTemplate message;               // its expressions come first in `capture`
  std::vector<ScopeFrame> frames;                // snapshot: what is in scope, in its place
  bool shows_error_number = false;               // snapshot: it comes after them
  std::vector<language::BoundPtr> extra;         // those of --capture, after them
  language::BoundPtr condition;                  // null: none
  std::vector<Slice> slices;                     // the last values of all
  std::optional<capture::BuiltCapture> capture;  // absent where refused
  program::Cost cost;
  engines::SiteRole role = engines::SiteRole::kStatement;
};

// How much is seen of the calls of one out-of-line function.
struct TracedFunction {
  std::string function;
  std::string file;
  std::size_t entry = 0;  // index of its entry among the probe's sites
  std::size_t returns = 0;
  std::size_t returns_seen = 0;
  std::size_t tail_calls = 0;
  std::string why_not_all;   // why a return is not seen; empty: all are
  std::string why_no_value;  // why no return value is shown; empty: one is, or there is none
};

struct PreparedProbe {
  spec::ProbeSpec spec;
  std::vector<PreparedSite> sites;
  std::vector<PlaceGap> gaps;
  std::vector<TracedFunction> traced;  // kCalls
  std::size_t inlined_copies = 0;      // kCalls: that make no call, and are left out

  [[nodiscard]] bool armable() const;
};

struct PrepareOptions {
  const policy::RedactionRules* redaction = nullptr;  // null: nothing is hidden
  const policy::ValueRules* value_rules = nullptr;    // null: there are none
  symbols::Variable error_number;                     // see error_number.h
  bool allow_raw = false;
  // By the file that describes them. Null: objects are what their types say.
  std::function<capture::DynamicClasses(const symbols::DebugInfo&)> dynamic_classes = {};
  const policy::Leave* leave = nullptr;  // null: everything may be seen
};

// For the values of a site that is chosen; what is captured of them is for the caller to add.
[[nodiscard]] capture::CaptureRequest request_at(const spec::ProbeSpec& spec,
                                                 const PreparedSite& site,
                                                 const engines::TargetView& view,
                                                 const PrepareOptions& options);
// Verifies what was built, and that its reads may be made in this target.
[[nodiscard]] Status check_capture(PreparedSite& site, const engines::TargetView& view);

// Fails where the place does not exist or the words do not fit it. A site that
// cannot be patched is no failure here: its plan says why.
[[nodiscard]] Result<PreparedProbe> prepare(const spec::ProbeSpec& spec, const Modules& modules,
                                            const engines::TargetView& view,
                                            std::vector<engines::TakenBytes>& taken,
                                            const PrepareOptions& options);

// As the audit trail and an approval call it.
[[nodiscard]] const char* kind_name(spec::ProbeKind kind);

[[nodiscard]] engines::StopRule stop_rule(const spec::ProbeSpec& spec);

// How much a probe captures of one hit.
[[nodiscard]] capture::CaptureLimits capture_limits(const spec::ProbeSpec& spec);

// Of one hit, the largest. A call brings a record at each end.
struct RecordBytes {
  std::uint64_t of_entry = 0;  // of a probe of another kind: all
  std::uint64_t of_returns = 0;
};
[[nodiscard]] RecordBytes record_bytes(const PreparedProbe& probe);

// What each probe asks of policy. `prepared` may be empty still; where it is not,
// the bytes that a rate brings are asked for with it.
[[nodiscard]] std::vector<policy::AskedLimits> asked_limits(
    const std::vector<spec::ProbeSpec>& specs, const std::vector<PreparedProbe>& prepared);

// The error of a probe none of whose sites can be patched: the first site's
// reason, and the nearest line of the file that works.
[[nodiscard]] Error refusal_of(const PreparedProbe& probe, const engines::TargetView& view);

}  // namespace nohalt::session
