// The critical sections of restartable sequences: code that the kernel restarts
// at another place when the thread loses its processor inside. A jump out of one
// would leave it, so nothing is patched there.
//
// Found are those described where libraries put descriptors, the section
// __rseq_cs; one that a program builds elsewhere stays unknown.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "probes/symbols/debug_info.h"
#include "probes/target/memory.h"
#include "src/base/address.h"
#include "src/base/result.h"

namespace nohalt::engines {

// What descriptors, as they are in the process, keep from being patched: the
// critical section, and the signature before the place where it is restarted.
[[nodiscard]] std::vector<LinkRange> restartable_ranges(std::span<const std::byte> descriptors,
                                                        LoadBias bias);

// Empty without the section; its bytes are read from the process. Errors: those
// of target::Memory.
[[nodiscard]] Result<std::vector<LinkRange>> read_restartable_sequences(
    const target::Memory& memory, const symbols::DebugInfo& info, LoadBias bias);

}  // namespace nohalt::engines
