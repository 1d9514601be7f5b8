// Turning raw records of an armed run into hits for the output: which site,
// which thread, decoded, rendered.
//
// Threading: one thread.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "probes/classes/vtables.h"
#include "probes/engines/inline/inline_engine.h"
#include "probes/records/values/decode.h"
#include "src/output/record.h"
#include "src/session/prepare.h"
#include "src/session/stack_values.h"

namespace nohalt::session {

// The sites of several probes in one row, as the engine numbers them.
struct SiteIndex {
  const PreparedProbe* probe = nullptr;
  const PreparedSite* site = nullptr;
  std::uint32_t probe_number = 0;
};
[[nodiscard]] std::vector<SiteIndex> index_sites(const std::vector<PreparedProbe>& probes);

// What a probe of a run is called in records: the only one as the run, others
// with a number.
[[nodiscard]] std::string probe_name(const std::string& run, std::uint32_t number,
                                     std::size_t count);

class HitMaker {
 public:
  HitMaker(pid_t pid, std::string run, const std::vector<PreparedProbe>& probes, StackValues stacks,
           const classes::Vtables& vtables, const policy::ValueRules& value_rules)
      : pid_(pid),
        run_(std::move(run)),
        count_(probes.size()),
        sites_(index_sites(probes)),
        stacks_(std::move(stacks)),
        vtables_(vtables),
        value_rules_(value_rules) {}

  // `core` is filled with what a core file of the hit may hold, unless it is null.
  [[nodiscard]] output::Hit make(const engines::RawRecord& record, CoreContents* core = nullptr);

 private:
  void add_message(output::Hit& hit, const SiteIndex& at, std::span<const std::byte> body,
                   std::vector<values::NamedValue>& decoded) const;
  void add_snapshot(output::Hit& hit, const SiteIndex& at,
                    const std::vector<values::NamedValue>& decoded) const;
  [[nodiscard]] const std::string& thread_name(std::uint32_t tid);

  pid_t pid_;
  std::string run_;
  std::size_t count_;
  std::vector<SiteIndex> sites_;
  StackValues stacks_;
  const classes::Vtables& vtables_;
  const policy::ValueRules& value_rules_;
  std::map<std::uint32_t, std::string> names_;
};

}  // namespace nohalt::session
