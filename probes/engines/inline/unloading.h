// What becomes of code that was written in place when its library is unloaded, and
// whether a library is still the one that places were looked for in.
// Reads only.
#pragma once

#include <span>

#include "probes/engines/inline/code_image.h"
#include "probes/engines/inline/inline_engine.h"
#include "probes/engines/inline/pages/written_text.h"
#include "probes/engines/inline/target_view.h"
#include "probes/target/memory.h"

namespace nohalt::engines {

// All of them, and there are some.
[[nodiscard]] bool are_unloaded(const target::Process& process, const target::Memory& memory,
                                std::span<const inline_pages::WrittenText> texts);

[[nodiscard]] bool none_installed(std::span<const inline_pages::WrittenText> texts,
                                  const target::Maps& maps, const target::Memory& memory);

// A library that may be unloaded may have been loaded anew, and changed, since places were
// looked for in it: the beginning of its file, where its build id is, and each function
// with a site are in memory what they were in the file. Reason "library-changed".
[[nodiscard]] Status check_libraries(const TargetView& view, const target::Memory& memory,
                                     const RunToArm& run);

}  // namespace nohalt::engines
