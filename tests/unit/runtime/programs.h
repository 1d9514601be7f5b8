// Capture programs as the capture compiler writes them, small ones.
#pragma once

#include "probes/program/program.h"

namespace nohalt::testing {

// Captures rdi, rsi and rdx as three words; where rdi is not 0, or always.
[[nodiscard]] program::Program capture_words(bool if_rdi = false);
// Captures rbx and r8 to r11 as five words.
[[nodiscard]] program::Program capture_others();
// Captures the 24 bytes at rdi.
[[nodiscard]] program::Program capture_pointee();

}  // namespace nohalt::testing
