// What a snapshot captures at one site: each argument and local of the function
// there, and, where that is an inlined copy, of the functions around it. The
// expressions are made from the scope, where those of a logpoint are made from
// its message.
//
// Ownership: what is made points into the DebugInfo. Threading: pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "policy/access/leave.h"
#include "probes/capture/capture.h"
#include "probes/language/bound.h"
#include "probes/symbols/debug_info.h"
#include "src/base/result.h"

namespace nohalt::session {

struct ScopeValue {
  std::string name;  // the variable's; of one that another hides, with its line: "i@41"
  symbols::Variable variable;
  language::BoundPtr bound;
  std::string left_out;  // why it is not captured; empty: it is
};

// One function that runs at the site, innermost first.
struct ScopeFrame {
  symbols::SourceFrame where;
  std::vector<ScopeValue> values;
};

// The functions that run at an address, innermost first.
[[nodiscard]] Result<std::vector<ScopeFrame>> functions_at(const symbols::DebugInfo& info,
                                                           LinkAddress pc);
// `site` is the place that was asked for, `pc` where its values are read.
[[nodiscard]] Result<std::vector<ScopeFrame>> frames_in_scope(const symbols::DebugInfo& info,
                                                              const symbols::LineSite& site,
                                                              LinkAddress pc);

// Whether nothing but its name may be seen of a function.
[[nodiscard]] bool is_hidden_frame(const policy::Leave& leave, const std::string& function,
                                   const std::string& file);

// Builds `request` with the frames' values in front of its own. Its own, and its
// condition, must fit; of the frames', those that a program cannot capture, and
// the largest where they are too many, are left out and say so.
[[nodiscard]] Result<capture::BuiltCapture> build_snapshot(const capture::CaptureRequest& request,
                                                           std::vector<ScopeFrame>& frames);

// The line nearest to `line` of those where an optimised-out variable is available;
// 0: none is known.
[[nodiscard]] std::uint32_t nearest_line(const symbols::Variable& variable, std::uint32_t line);

}  // namespace nohalt::session
