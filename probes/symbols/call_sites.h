// What the debug information of a caller says of a call: which function it calls
// and what it passes, for the entry values of that function. Internal.
//
// A compiler tells of a parameter only how the caller can compute it again after
// the call. That is the callee's entry value if the callee was entered by this very
// call: not through another function that ended by a tail call, nor once more by a
// chain of tail calls that leads back to it. Where this is not shown, nothing is
// said; GDB decides likewise.
//
// Source: DWARF 5, section 3.4, and the GNU extension of DWARF 4 that it came from.
#pragma once

#include <elfutils/libdw.h>

#include <functional>
#include <optional>
#include <vector>

#include "probes/symbols/debug_info.h"
#include "probes/symbols/name_index.h"
#include "probes/symbols/units.h"
#include "probes/symbols/variables.h"

namespace nohalt::symbols {

class CallSites {
 public:
  CallSites(const Units& units, const Variables& variables, std::function<const NameIndex&()> names)
      : units_(units), variables_(variables), names_(std::move(names)) {}

  [[nodiscard]] std::optional<Call> call(LinkAddress return_pc, LinkAddress callee_pc) const;

 private:
  // The function that a call site names, in this file; null: none, or not known.
  [[nodiscard]] const Function* named_by(Dwarf_Die site) const;
  [[nodiscard]] bool may_enter_itself(const Function& function) const;
  void read_parameters(Dwarf_Die site, LinkAddress pc, Call& call) const;

  const Units& units_;
  const Variables& variables_;
  std::function<const NameIndex&()> names_;
};

}  // namespace nohalt::symbols
