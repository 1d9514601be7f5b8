// The canonical frame address (CFA) at a pc, from .eh_frame or .debug_frame, as
// a short program over the registers. Internal.
#pragma once

#include <elfutils/libdw.h>

#include <memory>
#include <optional>
#include <vector>

#include "probes/symbols/location.h"
#include "src/base/address.h"

namespace nohalt::symbols {

class CallFrames {
 public:
  // Both must outlive this object.
  CallFrames(Elf* program, Dwarf* dwarf);

  // Absent: no entry covers pc, or its rule is not one this reader knows.
  [[nodiscard]] std::optional<std::vector<Op>> cfa_at(LinkAddress pc) const;

 private:
  struct EndCfi {
    void operator()(Dwarf_CFI* cfi) const { dwarf_cfi_end(cfi); }
  };

  std::unique_ptr<Dwarf_CFI, EndCfi> exceptions_;
  Dwarf_CFI* debug_ = nullptr;  // owned by the Dwarf
};

}  // namespace nohalt::symbols
