// Tells the end-to-end tests where the control region keeps what they watch:
// prints the offset, from its start, of the first probe's next_seq.
#include <cstddef>
#include <cstdio>

#include "probes/runtime/layout.h"

int main() {
  using nohalt::runtime::kProbesStart;
  using nohalt::runtime::ProbeControl;
  std::printf("%zu\n", kProbesStart + offsetof(ProbeControl, next_seq));
  return 0;
}
