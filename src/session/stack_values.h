// The stack of a hit as frames for the output, each caller with its arguments and
// locals as far as the captured registers and stack bytes tell them.
//
// The bytes pass through here and end here: what leaves is frames and values.
// Threading: one thread.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "probes/capture/capture.h"
#include "probes/records/values/decode.h"
#include "probes/stacks/hit_memory.h"
#include "probes/stacks/images.h"
#include "probes/stacks/locals/value.h"
#include "probes/stacks/unwind.h"
#include "src/output/record.h"
#include "src/session/core_contents.h"
#include "src/session/prepare.h"
#include "src/session/snapshot.h"

namespace nohalt::session {

class StackValues {
 public:
  // `leave` and `value_rules` must outlive it.
  StackValues(std::shared_ptr<const stacks::UnwindImages> images, capture::Redaction redaction,
              const policy::Leave& leave, const policy::ValueRules& value_rules)
      : images_(std::move(images)),
        redaction_(std::move(redaction)),
        leave_(leave),
        value_rules_(value_rules) {}

  [[nodiscard]] const stacks::UnwindImages& images() const { return *images_; }
  [[nodiscard]] const capture::Redaction& redaction() const { return redaction_; }

  // The functions of the site are in `hit.frames` already, where they are several.
  // `core` is to be filled, unless it is null.
  void add(output::Hit& hit, const spec::ProbeSpec& spec, const values::HitStack& stack,
           CoreContents* core);

 private:
  using Functions = std::vector<ScopeFrame>;  // that run at one pc, innermost first

  struct Known {
    Functions all;    // empty: there is no debug information for it
    Functions shown;  // without the values that policy lets nobody see
  };

  [[nodiscard]] const Known& known_of(const stacks::Frame& frame);
  [[nodiscard]] const Functions& functions_of(const stacks::Frame& frame) {
    return known_of(frame).shown;
  }
  void add_callers(output::Hit& hit, const spec::ProbeSpec& spec,
                   const stacks::CapturedStack& captured, stacks::Unwound& unwound,
                   CoreContents* core);
  // Values of the site's own functions that only the caller can tell.
  void fill_entry_values(output::Hit& hit, const stacks::Frame& frame,
                         const stacks::HitMemory& memory, const locals::Rules& rules);
  // What policy hides in any of the frames.
  [[nodiscard]] std::vector<RuntimeRange> hidden_in(const std::vector<stacks::Frame>& frames,
                                                    const stacks::HitMemory& memory);

  std::shared_ptr<const stacks::UnwindImages> images_;
  capture::Redaction redaction_;
  const policy::Leave& leave_;
  const policy::ValueRules& value_rules_;
  std::map<std::pair<const stacks::Image*, LinkAddress>, Known> known_;
};

}  // namespace nohalt::session
