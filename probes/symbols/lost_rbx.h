// Where call frame information may say that a caller's rbx is lost. Internal.
//
// libdw (0.188) takes register 0 for rbx in the ABI's initial rules: it says of a
// register 3 that no rule mentions that it is undefined, as it says of one that is
// explicitly so. A call preserves rbx (psABI, figure 3.4), so that the first means
// "unchanged"; this tells it from the second, by DW_CFA_undefined (7) with that
// number (3) anywhere in an entry's bytes. Where the two bytes mean something
// else, a value that could be had is given up.
#pragma once

#include <string_view>
#include <vector>

#include "probes/symbols/elf_image.h"
#include "src/base/address.h"

namespace nohalt::symbols {

class LostRbx {
 public:
  // Of .eh_frame or .debug_frame.
  void add(const ElfImage& image, std::string_view section);
  [[nodiscard]] bool may_be_at(LinkAddress pc) const;

 private:
  bool anywhere_ = false;
  std::vector<LinkRange> ranges_;
};

}  // namespace nohalt::symbols
