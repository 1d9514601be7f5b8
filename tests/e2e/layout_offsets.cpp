// Tells the end-to-end tests where the control region keeps what they watch:
// prints the offsets, from its start, of the first probe's next_seq and state.
#include <cstddef>
#include <cstdio>

#include "probes/runtime/layout.h"

int main() {
  using nohalt::runtime::kProbesStart;
  using nohalt::runtime::ProbeControl;
  std::printf("%zu %zu\n", kProbesStart + offsetof(ProbeControl, next_seq),
              kProbesStart + offsetof(ProbeControl, state));
  return 0;
}
